//! The time when a check last wrote to the bucket.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// How long after a write a check need not write again.
const RECENT: Duration = Duration::from_secs(10);

/// The time when a check last wrote to the bucket, and the key that checks write to: one for each process, so that a process that is
/// killed leaves one object at most.
pub(super) struct LastWrite {
    at: Mutex<Option<Instant>>,
    pub(super) key: String,
}

impl LastWrite {
    pub(super) fn new() -> Self {
        Self { at: Mutex::default(), key: format!(".strongroom/probe-{}", Uuid::now_v7()) }
    }

    pub(super) fn is_recent(&self) -> bool {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < RECENT)
    }

    pub(super) fn set(&self, at: Option<Instant>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}
