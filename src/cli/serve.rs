//! `strongroom serve`.

use serde::Serialize;

use super::exit::{ExitCode, Failure};
use super::output::{Output, time};
use crate::config::{self, Config};
use crate::startup;

#[derive(clap::Args)]
#[command(after_long_help = config::help())]
pub struct Serve {
    /// Do not apply missing migrations; wait until another process has applied them
    #[arg(long)]
    no_migrate: bool,
    /// Check the settings, the certificate and every other file that they name, and exit; database and store are not needed
    #[arg(long, conflicts_with = "no_migrate")]
    check: bool,
}

/// The JSON document of `--check`.
#[derive(Serialize)]
struct Checked {
    certificate_expires: Option<String>,
}

impl Serve {
    pub fn run(self, json: bool) -> Result<ExitCode, Failure> {
        if self.check {
            let checked = startup::check(&Config::from_env()?)?;
            let certificate_expires = checked.certificate_expires.map(time);
            Output::new(json).print(&Checked { certificate_expires }, |checked| {
                let expires = checked.certificate_expires.as_ref();
                let certificate = expires.map(|at| format!(", the certificate until {at}"));
                format!("the settings are valid{}", certificate.unwrap_or_default())
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        startup::run(Config::from_env()?, !self.no_migrate)?;
        Ok(ExitCode::SUCCESS)
    }
}
