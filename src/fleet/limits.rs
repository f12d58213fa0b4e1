//! The limits that apply to each system.

use crate::domain::rate_window::RateLimits;
use crate::domain::retention::Retention;

/// What a system may use: the same for all systems of a service.
#[derive(Debug, Clone, Copy)]
pub struct SystemLimits {
    /// How many backups are kept, and how many bytes.
    pub retention: Retention,
    /// The largest upload in bytes.
    pub max_upload: u64,
    /// Uploads that are admitted.
    pub rate: RateLimits,
}
