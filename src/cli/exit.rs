//! How a command ends when it does not succeed.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::db::DbError;
use crate::jobs::JobError;
use crate::startup::StartError;
use crate::store::StoreError;

/// A line for the person, and the exit code for the script.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1: it was refused, or something is damaged.
    Refused(String),
    /// Exit code 2: a wrong argument or setting.
    Usage(String),
    /// Exit code 3: the database or the store can't be reached.
    Unreachable(String),
}

impl Failure {
    pub fn report(self) -> ExitCode {
        let (code, line) = match self {
            Self::Refused(line) => (1, line),
            Self::Usage(line) => (2, line),
            Self::Unreachable(line) => (3, line),
        };
        eprintln!("strongroom: {line}");
        ExitCode::from(code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        if error.is_passing() {
            Self::Unreachable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::Refused("the stored object is missing".to_owned()),
            error @ (StoreError::Unavailable { .. } | StoreError::Refused(_)) => {
                Self::Unreachable(error.to_string())
            }
        }
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Db(error) => error.into(),
            JobError::Store(error) => error.into(),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Setting(line) => Self::Usage(line),
            StartError::Refused(line) => Self::Unreachable(line),
            error @ StartError::Io { .. } => Self::Refused(error.to_string()),
        }
    }
}
