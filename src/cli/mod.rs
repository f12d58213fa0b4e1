//! The command line: one file a command family.

mod audit;
mod backup;
mod backup_request;
mod confirm;
mod context;
mod exit;
mod migrate;
mod org;
mod output;
mod report;
mod secret;
mod serve;
mod sweep;
mod system;
mod token;

use clap::{CommandFactory, Parser, Subcommand};

use context::Context;
use exit::{ExitCode, Failure};

use crate::{config, store};

/// The vault for a fleet's encrypted configuration backups.
///
/// Exit codes: 0 done; 1 differences, damage or refused; 2 usage or setting; 3 database or store
/// unreachable. The settings are environment variables: see `strongroom serve --help`.
#[derive(Parser)]
#[command(name = "strongroom", version)]
struct Cli {
    /// Print one JSON document instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Serve),
    /// Bring the database's schema up to date
    Migrate,
    /// Organizations
    #[command(subcommand)]
    Org(org::Org),
    /// Systems and their credentials
    #[command(subcommand)]
    System(system::System),
    /// Backups
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Ask an appliance for a backup; it is made when the appliance next looks
    Request(backup_request::BackupRequestArgs),
    /// Do by hand what the service does by itself: take back what dead processes left, purge what is due
    Sweep(sweep::Sweep),
    /// Check that the books balance; exit code 1 if they do not
    Audit(audit::Audit),
    /// Bearer tokens for the management API, for development
    #[command(subcommand)]
    Token(token::Token),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    crate::telemetry::start_logging(config::DEFAULT_LOG_FILTER, store::CRATES_THAT_LOG_SECRETS);
    match run(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let open = || Context::open(cli.json);
    match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Migrate => migrate::run(&mut open()?),
        Command::Org(org) => org.run(&mut open()?),
        Command::System(system) => system.run(&mut open()?),
        Command::Backup(backup) => backup.run(&mut open()?),
        Command::Request(request) => request.run(&mut open()?),
        Command::Sweep(sweep) => sweep.run(&mut open()?),
        Command::Audit(audit) => audit.run(&mut open()?),
        Command::Token(token) => token.run(cli.json),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "strongroom", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}
