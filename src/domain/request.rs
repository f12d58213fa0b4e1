//! Requests for a backup: how long they stay open, and what becomes of them.

use std::time::Duration;

use super::state::states;

/// How long a request stays open after it was last asked for.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

states! {
    /// As in `backup_requests.state`.
    RequestState {
        /// The appliance has not been given it yet.
        Pending = "pending",
        /// The appliance was given it.
        Seen = "seen",
        Fulfilled = "fulfilled",
        Expired = "expired",
        Cancelled = "cancelled",
    }
}

impl RequestState {
    /// Whether a backup is still awaited.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Seen => true,
            Self::Fulfilled | Self::Expired | Self::Cancelled => false,
        }
    }
}
