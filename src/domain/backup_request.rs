//! Requests for a backup: how long they stay open, and what becomes of them.

use std::time::Duration;

use super::row_state::row_state;

/// How long a request stays open after it was last asked for.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

row_state! {
    /// As in `backup_requests.state`.
    BackupRequestState {
        /// The appliance has not been given it yet.
        Pending = "pending",
        /// The appliance was given it.
        Seen = "seen",
        Fulfilled = "fulfilled",
        Expired = "expired",
        Cancelled = "cancelled",
    }
}

impl BackupRequestState {
    /// Whether a backup is still awaited.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Seen => true,
            Self::Fulfilled | Self::Expired | Self::Cancelled => false,
        }
    }
}
