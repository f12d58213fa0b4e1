//! Can the dependencies do what an upload needs?

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Vault;

/// How long a dependency may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Anybody may ask, so asking must not keep the database busy.
const CACHED_FOR: Duration = Duration::from_secs(1);

/// The state of each dependency: `up`, or what is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    pub database: &'static str,
    pub store: &'static str,
}

const UP: &str = "up";
const DOWN: &str = "down";
const NOT_READY: &str = "being prepared";

impl Health {
    pub fn is_fine(self) -> bool {
        self.database == UP && self.store == UP
    }
}

/// The last answer.
#[derive(Default)]
pub struct LastHealth(Mutex<Option<(Instant, Health)>>);

impl Vault {
    /// Commits a transaction that changes nothing, and writes to the store, at most once a second.
    pub async fn health(&self) -> Health {
        // One look at a time: whoever comes meanwhile waits for its answer.
        let mut last = self.last_health.0.lock().await;
        if let Some((at, health)) = *last
            && at.elapsed() < CACHED_FOR
        {
            return health;
        }
        let (database, store) =
            tokio::join!(self.db.can_commit(PATIENCE), timeout(PATIENCE, self.store.check()));
        let health = Health {
            database: match &database {
                Ok(()) if self.ready.load(Ordering::Relaxed) => UP,
                Ok(()) => NOT_READY,
                Err(_) => DOWN,
            },
            store: if matches!(store, Ok(Ok(()))) { UP } else { DOWN },
        };
        let was_up = last.is_none_or(|(_, before)| before.database != DOWN);
        if let Err(error) = database
            && was_up
        {
            log::warn!("health: {error}");
        }
        *last = Some((Instant::now(), health));
        health
    }
}
