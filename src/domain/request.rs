//! Requests for a backup: how long they stay open, and what becomes of them.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// How long a request stays open after it was last asked for.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// As in `backup_requests.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// The appliance has not been given it yet.
    Pending,
    /// The appliance was given it.
    Seen,
    Fulfilled,
    Expired,
    Cancelled,
}

impl RequestState {
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Seen, Self::Fulfilled, Self::Expired, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Seen => "seen",
            Self::Fulfilled => "fulfilled",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a backup is still awaited.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Seen)
    }
}

impl fmt::Display for RequestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RequestState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
