//! `strongroom serve`.

use super::exit::{ExitCode, Failure};
use crate::config::{self, Config};
use crate::startup;

#[derive(clap::Args)]
#[command(after_long_help = config::help())]
pub struct Serve {
    /// Do not apply missing migrations; wait until another process has applied them
    #[arg(long)]
    no_migrate: bool,
}

impl Serve {
    pub fn run(self) -> Result<ExitCode, Failure> {
        startup::run(Config::from_env()?, !self.no_migrate)?;
        Ok(ExitCode::SUCCESS)
    }
}
