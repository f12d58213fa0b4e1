//! Detects a store that stops taking a body.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Runs while the store handles a chunk, and is paused while the store waits for the client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Watchdog(Arc<Mutex<Option<Instant>>>);

impl Watchdog {
    /// Returns a running watchdog: the store has to poll for the first chunk.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it starts to run here")]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// Starts to run: the store has received a chunk.
    pub fn start(&self) {
        self.set(Some(Instant::now()));
    }

    /// Pauses: the store polls for the next chunk.
    pub fn pause(&self) {
        self.set(None);
    }

    /// Returns when the store has not polled for a chunk for `limit`.
    pub async fn expired(&self, limit: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let deadline = since.unwrap_or_else(Instant::now) + limit;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}
