//! What can go wrong with the database, by what the caller can do next.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error};

/// A failed query or transaction.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The database can't be asked now; it may be asked again. A COMMIT that ended so may have
    /// taken place.
    #[error("the database can't be reached: {0}")]
    Unavailable(String),
    /// The connection was lost in COMMIT: whether it took place has to be found out.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// Another transaction was in the way; the same may work when repeated.
    #[error("the transaction met another one: {0}")]
    Conflict(String),
    /// A statement took longer than it may: it may have waited for another one, or have had too much to do.
    #[error("the statement was given up after its time limit: {0}")]
    TimedOut(String),
    /// All connections stayed busy for as long as the caller wanted to wait.
    #[error("every database connection is busy")]
    Busy,
    /// A name that has to be unique is taken.
    #[error("it exists already")]
    Exists,
    /// `DATABASE_URL` can't be used as it is. The line names it.
    #[error("{0}")]
    Setting(String),
    /// The statement itself failed; repeating it would not help.
    #[error("{0}")]
    Failed(String),
}

impl DbError {
    /// Whether the same may work a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_)
                | Self::OutcomeUnknown(_)
                | Self::Conflict(_)
                | Self::TimedOut(_)
                | Self::Busy
        )
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        // Of a value that can't be read diesel itself names the column alone.
        let text = match error.source() {
            Some(cause) => one_line(&format!("{error}: {cause}")),
            None => one_line(&error),
        };
        match error {
            Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                // A former primary that has become a standby.
                | DatabaseErrorKind::ReadOnlyTransaction,
                _,
            )
            | Error::BrokenTransactionManager => Self::Unavailable(text),
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Conflict(text),
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Exists,
            // Diesel has no kinds for these and does not give the code. In another language than English they
            // are told by the time that they took: `pool`.
            // Another version's migration has changed a table under a prepared statement: a new session prepares it anew.
            Error::DatabaseError(_, info)
                if info.message().contains("cached plan must not change result type") =>
            {
                Self::Unavailable(text)
            }
            Error::DatabaseError(_, info)
                if info.message().contains("statement timeout") =>
            {
                Self::TimedOut(text)
            }
            Error::DatabaseError(_, info)
                if ["deadlock detected", "lock timeout"]
                    .iter()
                    .any(|text| info.message().contains(text)) =>
            {
                Self::Conflict(text)
            }
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            _ => Self::Failed(text),
        }
    }
}

/// libpq's messages have several lines and end in one; a log's line is one.
pub(super) fn one_line(error: &impl ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
