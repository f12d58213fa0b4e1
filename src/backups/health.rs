//! Can the dependencies do what an upload needs? Clients learn which one can't, the log also why.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Vault;
use super::error::Outage;

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

/// The last answer, and what the log was told last.
#[derive(Default)]
pub struct LastHealth(Mutex<Last>);

#[derive(Default)]
struct Last {
    answer: Option<(Instant, Health)>,
    /// What was wrong with the store.
    trouble: Option<String>,
}

impl Last {
    /// Logs what is wrong with the store when that changes: the same line every second would help nobody.
    fn tell(&mut self, trouble: Option<String>) {
        if self.trouble == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => log::error!("health: {trouble}"),
            None => log::info!("health: the object store can take backups again"),
        }
        self.trouble = trouble;
    }
}

impl Vault {
    /// Commits a transaction that changes nothing, and writes to the store, at most once a second.
    pub async fn health(&self) -> Health {
        // One look at a time: whoever comes meanwhile waits for its answer.
        let mut last = self.last_health.0.lock().await;
        if let Some((at, health)) = last.answer
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
        if let Err(error) = database
            && last.answer.is_none_or(|(_, before)| before.database != DOWN)
        {
            log::warn!("health: {error}");
        }
        last.tell(match store {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Outage::store(&error).to_string()),
            Err(_) => Some(Outage::store(&format!("no answer within {} s", PATIENCE.as_secs())).to_string()),
        });
        last.answer = Some((Instant::now(), health));
        health
    }
}
