//! Backup requests: their states, and how long they stay open.

use std::time::Duration;

use super::row_state::row_state;

/// How long a request stays open after it was made, or after another request last joined it.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

row_state! {
    /// The values of `backup_requests.state`.
    BackupRequestState {
        /// The appliance has not received the request yet.
        Pending = "pending",
        /// The appliance has received the request.
        Seen = "seen",
        Fulfilled = "fulfilled",
        Expired = "expired",
        Cancelled = "cancelled",
    }
}

impl BackupRequestState {
    /// Whether the request still waits for a backup.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Seen => true,
            Self::Fulfilled | Self::Expired | Self::Cancelled => false,
        }
    }
}
