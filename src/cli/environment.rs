//! Takes the settings of an env file into the environment of the process, before anything reads them.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::account::{self, Account};
use super::exit::Failure;
use crate::config::{self, EnvironmentFile};

/// Who runs a command with the settings of an env file, if root starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// The account of the service, from the start on: root reads the env file, and nothing else.
    Service,
    /// The account of the service, once root has read the settings ([`assume_account`]).
    Command,
}

/// Executes this program again with the settings of the env file in its environment, if it needs them.
///
/// Returns if it does not: if the settings are in the environment already.
pub fn load(named: Option<&Path>, run_as: RunAs) -> Result<(), Failure> {
    let Some(file) = EnvironmentFile::needed(named, account::is_root())? else { return Ok(()) };
    let cannot =
        |error| Failure::Refused(format!("could not start again with the settings of the env file: {error}"));
    let mut command = Command::new(env::current_exe().map_err(cannot)?);
    command.args(env::args_os().skip(1)).envs(file.environment());
    command.env(config::SOURCE, format!("{} {}", std::process::id(), file.path.display()));
    if let Some(account) = Account::for_root()? {
        command.envs(account.environment());
        if run_as == RunAs::Service {
            account.become_for_good()?;
        }
    }
    Err(cannot(command.exec()))
}

/// Lets the rest of the command run as the account of the service, if root runs it with the settings of an env file.
pub fn assume_account() -> Result<(), Failure> {
    if config::is_from_file()
        && let Some(account) = Account::for_root()?
    {
        account.become_for_command()?;
    }
    Ok(())
}
