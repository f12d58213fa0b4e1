//! Checks whether the dependencies can do what an upload needs, and whether the background tasks run. The answer names a
//! dependency or task that can't; the log has the reason.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Vault;
use super::error::Outage;
use crate::telemetry::TaskProblem;

/// The longest time that a dependency may take to answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is cached: health needs no credential, so it must not keep the database busy.
const CACHE_TTL: Duration = Duration::from_secs(1);

/// The result of a check.
#[derive(Debug)]
pub struct Health {
    /// `up`, or the problem.
    pub database: &'static str,
    pub store: &'static str,
    /// The background tasks that can't do their work.
    pub tasks: Vec<&'static str>,
}

/// The state of each dependency: `up`, or the problem.
#[derive(Debug, Clone, Copy)]
struct Dependencies {
    database: &'static str,
    store: &'static str,
}

const UP: &str = "up";
const DOWN: &str = "down";
const NOT_READY: &str = "being prepared";

impl Dependencies {
    fn are_up(self) -> bool {
        self.database == UP && self.store == UP
    }
}

impl Health {
    /// Whether uploads can be stored.
    pub fn dependencies_are_up(&self) -> bool {
        Dependencies { database: self.database, store: self.store }.are_up()
    }
}

/// The last answer, and the last problem that was logged.
#[derive(Default)]
pub struct LastHealth(Mutex<Last>);

#[derive(Default)]
struct Last {
    answer: Option<(Instant, Dependencies)>,
    /// The last problem of the store.
    store_error: Option<String>,
}

impl Last {
    /// Logs the problem of the store when it changes.
    fn log_store(&mut self, error: Option<String>) {
        if self.store_error == error {
            return;
        }
        match &error {
            Some(error) => log::error!("health: {error}"),
            None => log::info!("health: the object store can take backups again"),
        }
        self.store_error = error;
    }
}

impl Vault {
    /// Checks the dependencies and the background tasks.
    pub async fn health(&self) -> Health {
        let dependencies = self.check_dependencies().await;
        let mut problems = self.metrics.tasks.problems();
        // While a dependency is down, tasks fail and hang for that reason.
        if !dependencies.are_up() {
            problems.retain(|(_, problem)| *problem == TaskProblem::Panicked);
        }
        let tasks = problems.into_iter().map(|(name, _)| name).collect();
        Health { database: dependencies.database, store: dependencies.store, tasks }
    }

    /// Commits a transaction that changes nothing, and writes to the store, at most once a second.
    async fn check_dependencies(&self) -> Dependencies {
        // One check at a time: concurrent callers wait for its answer.
        let mut last = self.last_health.0.lock().await;
        if let Some((at, health)) = last.answer
            && at.elapsed() < CACHE_TTL
        {
            return health;
        }
        let (database, store) =
            tokio::join!(self.db.can_commit(CHECK_TIMEOUT), timeout(CHECK_TIMEOUT, self.store.check()));
        let health = Dependencies {
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
        last.log_store(match store {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Outage::store(&error).to_string()),
            Err(_) => {
                Some(Outage::store(&format!("no answer within {} s", CHECK_TIMEOUT.as_secs())).to_string())
            }
        });
        last.answer = Some((Instant::now(), health));
        health
    }
}
