//! Whose turn it is while a body is on its way: the client's or the store's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Since when it has been the store's turn; `None`: the body is waited for.
#[derive(Debug, Clone)]
pub struct Turn(Arc<Mutex<Option<Instant>>>);

impl Turn {
    /// The store's, from now on.
    #[must_use]
    pub fn of_store() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// The body is waited for.
    pub fn asks(&self) {
        self.set(None);
    }

    /// The store has something to do.
    pub fn has(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, store: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = store;
    }

    /// Ends when the store has taken nothing for so long.
    pub async fn missed(&self, patience: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let late = since.unwrap_or_else(Instant::now) + patience;
            if late <= Instant::now() {
                return;
            }
            sleep_until(late).await;
        }
    }
}
