//! The command line: one file for each family of commands.

mod account;
mod audit;
mod backup;
mod backup_request;
mod confirm;
mod context;
mod environment;
mod events;
mod exit;
#[cfg(test)]
mod help_tests;
mod migrate;
mod org;
mod output;
mod say;
mod secret;
mod serve;
mod streamed_list;
mod suggest;
mod sweep;
mod system;
mod system_arg;
mod token;
mod usage;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{CommandFactory, Parser, Subcommand};

use context::Context;
use environment::RunAs;
use exit::{ExitCode, Failure};

use crate::telemetry::version;
use crate::{config, db, store, telemetry};

/// What `--version` prints: also the version of the library that speaks to Postgres.
static LONG_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\nlibpq {}", version::FULL, db::libpq_version()));

/// The vault for a fleet's encrypted configuration backups.
///
/// Exit codes: 0 done; 1 differences, damage, or the command was refused; 2 wrong argument or setting;
/// 3 the database or the store cannot be reached or refuses, or a part of the work failed.
/// The settings are environment variables, or lines of the env file: see `strongroom serve --help`. On an installed machine run
/// commands as root, who may read the env file: `sudo strongroom org list`.
#[derive(Parser)]
#[command(name = "strongroom", version = version::FULL, long_version = LONG_VERSION.as_str())]
struct Cli {
    /// Print one JSON document instead of a table
    #[arg(long, global = true)]
    json: bool,
    /// Read the settings from this file, as systemd does [default: /etc/strongroom/strongroom.env, unless DATABASE_URL is set]
    ///
    /// Settings in the environment override those of the file. Run by root, the command reads the file and its secrets as root, and
    /// then runs as the account strongroom, as the service does.
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Serve),
    /// Bring the database's schema up to date
    Migrate,
    /// Add, list, show, rename and delete organizations, and set their quotas
    #[command(subcommand)]
    Org(org::Org),
    /// Add, list, suspend and destroy systems, and replace their secrets
    #[command(subcommand)]
    System(system::System),
    /// List, fetch and delete backups
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Request a backup of a system, which its appliance uploads as soon as it sees the request
    Request(backup_request::BackupRequestArgs),
    /// Run one pass of the service's clean-up: roll back the uploads of dead processes, and purge retired backups
    Sweep(sweep::Sweep),
    /// Compare the totals of all organizations with their backups; exit code 1 if they differ
    Audit(audit::Audit),
    /// List who did what, newest first: uploads, downloads, deletions, changes by operators, refusals
    Events(events::Events),
    /// Show what organizations have used in a month, for bills, and add days up again
    #[command(after_help = "Examples:\n  \
        strongroom usage\n  \
        strongroom usage --org acme --tree --month 2026-10 --json")]
    Usage(usage::Usage),
    /// Issue bearer tokens for the management API, for development
    #[command(subcommand)]
    Token(token::Token),
    /// Print a completion script for a shell
    #[command(after_help = "Examples:\n  \
        strongroom completions bash > /etc/bash_completion.d/strongroom\n  \
        strongroom completions zsh > /usr/local/share/zsh/site-functions/_strongroom\n  \
        strongroom completions fish > /etc/fish/completions/strongroom.fish")]
    Completions {
        /// Shell that runs the script
        shell: clap_complete::Shell,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    telemetry::report_panics();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };
    if let Err(failure) = cli.load_environment() {
        return failure.print();
    }
    telemetry::start_logging(config::DEFAULT_LOG_FILTER, store::CRATES_THAT_LOG_SECRETS);
    match run(cli) {
        Ok(code) => code,
        Err(failure) => failure.print(),
    }
}

/// Prints clap's help, or its error, and returns the exit code.
fn print_usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && !io::stderr().is_terminal() {
        telemetry::print_failure(&error.render().to_string());
    } else {
        // In colour. A failure to print can't be reported any more.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

impl Cli {
    /// Takes the settings of the env file into the environment, for commands that use settings.
    fn load_environment(&self) -> Result<(), Failure> {
        let run_as = match self.command {
            Command::Completions { .. } => return Ok(()),
            Command::Serve(_) => RunAs::Service,
            _ => RunAs::Command,
        };
        environment::load(self.env_file.as_deref(), run_as)
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let open = || Context::open(cli.json);
    match cli.command {
        Command::Serve(serve) => serve.run(cli.json),
        Command::Migrate => migrate::run(&mut open()?),
        Command::Org(org) => org.run(&mut open()?),
        Command::System(system) => system.run(&mut open()?),
        Command::Backup(backup) => backup.run(open),
        Command::Request(request) => request.run(&mut open()?),
        Command::Sweep(sweep) => sweep.run(&mut open()?),
        Command::Audit(audit) => audit.run(&mut open()?),
        Command::Events(events) => events.run(&mut open()?),
        Command::Usage(usage) => usage.run(&mut open()?),
        Command::Token(token) => token.run(cli.json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "strongroom", &mut script);
            output::write(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
