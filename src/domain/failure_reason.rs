//! Why an admitted upload was not stored, apart from the refusals by a rule.

use super::row_state::row_state;

row_state! {
    /// The reason of a failed upload that no rule has refused: `detail` of the events `failed`.
    FailureReason {
        /// The body ended before its declared end: the client, or a proxy, has disconnected.
        Interrupted = "interrupted",
        /// The body has no bytes.
        Empty = "empty",
        /// The system was suspended or destroyed while it uploaded.
        Revoked = "revoked",
        /// The store was unavailable.
        Store = "store",
        /// The database was unavailable.
        Database = "database",
        /// The task that owned the upload ended without a result: it panicked, or the process stopped.
        Aborted = "aborted",
        /// The process that received the upload has died; a sweep has found the upload.
        ProcessDied = "process_died",
    }
}

impl FailureReason {
    /// Returns who has caused it: the value of `backup_events.actor`.
    pub fn actor(self) -> &'static str {
        match self {
            Self::Interrupted | Self::Empty => "system",
            Self::Revoked => "operator",
            Self::Store | Self::Database | Self::Aborted | Self::ProcessDied => "service",
        }
    }
}
