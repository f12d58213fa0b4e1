//! Notices a store that takes nothing more of a body.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Runs while the store has a chunk in hand, and rests while the client is waited for; cheap to clone.
#[derive(Debug, Clone)]
pub struct Watchdog(Arc<Mutex<Option<Instant>>>);

impl Watchdog {
    /// Running: nothing was given to the store yet, and it has to ask for the first chunk.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "that it runs is said here")]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// The store was given something: it is up to the store now.
    pub fn start(&self) {
        self.set(Some(Instant::now()));
    }

    /// The store asks for more: it is up to the client now.
    pub fn rest(&self) {
        self.set(None);
    }

    /// Ends when the store has asked for nothing for that long.
    pub async fn expired(&self, patience: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let late = since.unwrap_or_else(Instant::now) + patience;
            if late <= Instant::now() {
                return;
            }
            sleep_until(late).await;
        }
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}
