//! The errors of the database, by what the caller can do next.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error};

/// A failed query or transaction.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The database can't run the query now; the query may be tried again. A COMMIT that ended with this error may have taken
    /// place.
    #[error("the database can't be reached: {0}")]
    Unavailable(String),
    /// The connection was lost in COMMIT: the caller has to find out whether it took place.
    #[error("it is unknown whether the transaction was committed: {0}")]
    OutcomeUnknown(String),
    /// Another transaction was in conflict with this one. Repeating it may help.
    #[error("the transaction conflicted with another one: {0}")]
    Conflict(String),
    /// A statement exceeded its time limit: it may have waited for another one, or have had too much to do.
    #[error("the statement was cancelled after its time limit: {0}")]
    TimedOut(String),
    /// No connection became free before the caller's deadline.
    #[error("no database connection became free in time")]
    Busy,
    /// A name that has to be unique is taken.
    #[error("the name is taken")]
    Exists,
    /// `DATABASE_URL` can't be used as it is. The text names it.
    #[error("{0}")]
    Setting(String),
    /// The statement itself failed; repeating it would not help.
    #[error("{0}")]
    Failed(String),
}

impl DbError {
    /// Whether the same query may succeed a moment later.
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
        // If a value can't be read, diesel's own text names only the column; the cause is in `source`.
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
            // The kinds below are recognized by Postgres' English text: diesel has no kinds for them and does not expose
            // the code. If Postgres uses another language, `pool` recognizes them by the time that they took.
            //
            // Another version's migration has changed a table under a prepared statement: a new session prepares it again.
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

/// Joins the lines of an error, because an entry in the log is one line.
pub(super) fn one_line(error: &impl ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
