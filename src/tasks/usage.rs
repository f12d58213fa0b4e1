//! Adds up what each organization has used on each day, once the day is over. Days that were missed follow one after the
//! other, oldest first. Of these only the events are known: what is stored now is not what was stored then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::{Db, DbError, Lane, objects, usage_days};
use crate::domain::usage::{first_whole_day, is_measured, oldest_kept};
use crate::telemetry::TaskFailure;

/// The time between two runs: a day is added up at most this long after it may be.
const INTERVAL: Duration = Duration::from_mins(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The first run adds up more than a year.
const MAX_RUN: Duration = Duration::from_hours(2);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// What adds the days up.
#[derive(Clone)]
pub struct UsageDays {
    pub db: Db,
    /// How long events are kept.
    pub keep: Duration,
    /// Whether the schema is prepared.
    pub ready: Arc<AtomicBool>,
}

impl UsageDays {
    /// Starts to add up the days that are over.
    pub fn start(self, supervisor: &Supervisor) {
        let task = TaskDefinition::new("usage", Period::SinceStart(INTERVAL)).max_run(MAX_RUN);
        supervisor.spawn(task, move || {
            let usage = self.clone();
            async move {
                if !usage.ready.load(Ordering::Relaxed) {
                    let wait = TaskFailure::new("the schema is not prepared").logged();
                    return Err(TaskFailure { is_outage: true, ..wait.retry_after(RETRY_AFTER) });
                }
                usage.run_once().await.map_err(db_failure)
            }
        });
    }

    async fn run_once(&self) -> Result<(), DbError> {
        let now = self.db.run(Lane::Tasks, QUERY_TIMEOUT, objects::now).await?;
        let last = usage_days::newest_complete(now);
        let first = first_whole_day(oldest_kept(now, self.keep));
        let missing = move |conn: &mut _| usage_days::missing(conn, first, last);
        for day in self.db.run(Lane::Tasks, QUERY_TIMEOUT, missing).await? {
            // Another process may add it up at the same time.
            let add_up = move |conn: &mut _| {
                // The days before may have taken long.
                let measure = is_measured(day, objects::now(conn)?);
                usage_days::add_up(conn, day, measure)
            };
            match self.db.run_alone(add_up).await {
                Ok(true) => log::debug!("usage: added up {day}"),
                Ok(false) => {}
                Err(DbError::Conflict(text)) => {
                    log::debug!("usage: {text}; the next run tries again");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
