//! The end of a command: its exit code, and the line of a failure.

use std::io::{self, Write as _};

use crate::config::ConfigError;
use crate::db::DbError;
use crate::startup::StartError;
use crate::store::StoreError;
use crate::tasks::TaskError;
use crate::telemetry::print_failure;

/// The exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode(u8);

impl ExitCode {
    pub const SUCCESS: Self = Self(0);

    /// Ends the process without running the exit handlers of C libraries. A thread of the pool may be connecting at that
    /// moment, and the libraries that libpq uses for it (Kerberos, OpenSSL) abort if an exit handler frees them meanwhile.
    #[expect(unsafe_code, reason = "the standard library always runs the exit handlers")]
    pub fn exit_process(self) -> ! {
        // Without a line break the last line is still in the buffer. A failure can't be reported any more.
        let _ = io::stdout().flush();
        // SAFETY: the function takes a number and does not return.
        unsafe { libc::_exit(i32::from(self.0)) }
    }
}

impl From<u8> for ExitCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

/// The failure of a command: a line for people, and the exit code for scripts.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1: the command was refused, or something is damaged.
    Refused(String),
    /// Exit code 2: a wrong argument or setting.
    Usage(String),
    /// Exit code 3: the database or the store can't be reached.
    Unreachable(String),
}

impl Failure {
    /// Returns a failure with the same exit code and another line.
    pub fn map_line(self, line: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Refused(text) => Self::Refused(line(text)),
            Self::Usage(text) => Self::Usage(line(text)),
            Self::Unreachable(text) => Self::Unreachable(line(text)),
        }
    }

    /// Prints the line to stderr, and returns the exit code.
    pub fn print(self) -> ExitCode {
        let (code, line) = match self {
            Self::Refused(line) => (1, line),
            Self::Usage(line) => (2, line),
            Self::Unreachable(line) => (3, line),
        };
        print_failure(&format!("strongroom: {line}"));
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
        match error {
            DbError::Setting(line) => Self::Usage(line),
            // Postgres' words in English; in another language the line has no hint.
            DbError::Failed(line) if line.contains("relation \"") && line.contains("does not exist") => {
                Self::Refused(format!(
                    "{line}: run `strongroom migrate` if the database is new or older than this program"
                ))
            }
            error if error.is_transient() => Self::Unreachable(error.to_string()),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::Refused("the stored object is missing".to_owned()),
            StoreError::Damaged(what) => Self::Refused(format!("the stored object is damaged: {what}")),
            error @ (StoreError::Unavailable { .. } | StoreError::Refused(_)) => {
                Self::Unreachable(error.to_string())
            }
        }
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Db(error) => error.into(),
            TaskError::Store(error) => error.into(),
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
