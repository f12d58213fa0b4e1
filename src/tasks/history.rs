//! Keeps the history in shape: makes the partitions of the coming months, and drops what is older than `EVENTS_KEEP`.
//!
//! A month is dropped as a whole once all of its events are old enough. Only what is not in a month is deleted row by row, and so
//! are ended backup requests: some at a time, with a pause in between. Every step may be repeated, and several processes may
//! do it at the same time: a partition is made or dropped under a lock, and deletions skip rows that are locked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::history::{self, OldRows};
use crate::db::{Db, DbError, Lane, objects};
use crate::domain::usage::oldest_kept;
use crate::telemetry::TaskFailure;

/// The time between two runs.
const INTERVAL: Duration = Duration::from_mins(10);
/// The time until the next run if schema or database are not ready, and until the next attempt to attach an index.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The first run after years without it deletes many rows.
const MAX_RUN: Duration = Duration::from_hours(6);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Rows that one statement deletes, and the pause until the next one.
const BITE: i64 = 1000;
const PAUSE: Duration = Duration::from_millis(50);
/// How many times a run tries to attach an index: uploads wait for each attempt that does not get its lock.
const INDEX_ATTEMPTS: usize = 3;

/// The history of a service.
#[derive(Clone)]
pub struct History {
    pub db: Db,
    /// How long events and ended backup requests are kept.
    pub keep: Duration,
    /// Whether the schema is prepared.
    pub ready: Arc<AtomicBool>,
}

impl History {
    /// Starts to keep the history in shape.
    pub fn start(self, supervisor: &Supervisor) {
        let told = Arc::new(AtomicBool::new(false));
        let task = TaskDefinition::new("history", Period::SinceStart(INTERVAL)).max_run(MAX_RUN);
        supervisor.spawn(task, move || {
            let (history, told) = (self.clone(), Arc::clone(&told));
            async move {
                if !history.ready.load(Ordering::Relaxed) {
                    let wait = TaskFailure::new("the schema is not prepared").logged();
                    return Err(TaskFailure { is_outage: true, ..wait.retry_after(RETRY_AFTER) });
                }
                history.run_once(&told).await.map_err(db_failure)
            }
        });
    }

    /// Does everything that is due. `told`: whether the log says already that this role may not change partitions.
    async fn run_once(&self, told: &AtomicBool) -> Result<(), DbError> {
        let now = self.db.run(Lane::Tasks, QUERY_TIMEOUT, objects::now).await?;
        let before = oldest_kept(now, self.keep);
        let may_change = self.db.run(Lane::Tasks, QUERY_TIMEOUT, history::may_change_partitions).await?;
        if may_change {
            self.change_partitions(now, before).await?;
        } else if !told.swap(true, Ordering::Relaxed) {
            log::warn!(
                "history: this role does not own the table backup_events, so it makes and drops no months; \
                 run `strongroom migrate` as the owner every month"
            );
        }
        for rows in OldRows::ALL {
            self.delete_old(rows, before).await?;
        }
        Ok(())
    }

    async fn change_partitions(&self, now: DateTime<Utc>, before: DateTime<Utc>) -> Result<(), DbError> {
        let add = move |conn: &mut _| history::add_months(conn, now);
        // Once: the others who use the history wait behind each attempt.
        let added = next_run(self.db.run_alone(add).await)?.unwrap_or(0);
        if added > 0 {
            log::info!("history: made the partitions of {added} months");
        }
        let drop = move |conn: &mut _| history::drop_month(conn, before);
        while let Some(name) = next_run(self.db.run_alone(drop).await)?.flatten() {
            log::info!("history: dropped {name}, whose events are older than EVENTS_KEEP");
        }
        for _ in 0..INDEX_ATTEMPTS {
            let Some(built) = next_run(self.db.run_alone(history::index_first_partition).await)? else {
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            };
            if built {
                log::info!("history: backup_events_first has all its indexes");
            }
            break;
        }
        Ok(())
    }

    async fn delete_old(&self, rows: OldRows, before: DateTime<Utc>) -> Result<(), DbError> {
        loop {
            let bite = move |conn: &mut _| history::delete_old(conn, rows, before, BITE);
            let deleted = self.db.run(Lane::Tasks, QUERY_TIMEOUT, bite).await?;
            if i64::try_from(deleted).unwrap_or(i64::MAX) < BITE {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Returns `None` if another session has a lock that is needed: the next run tries again.
fn next_run<T>(result: Result<T, DbError>) -> Result<Option<T>, DbError> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(DbError::Conflict(text)) => {
            log::debug!("history: {text}; the next run tries again");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
