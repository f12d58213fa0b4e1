//! Repeats the background tasks, and starts one again after a panic.
//!
//! A task is a function `run_once`; no task has its own loop that could end unnoticed. The supervisor waits until the task is
//! due, runs it inside [`TaskStatus::run`], and waits again:
//!
//! * after a success or an error, for the task's [`Period`] (or as long as the error says);
//! * after a panic, for 1 s, then twice as long after each further panic, up to a minute (or the task's own maximum).
//!
//! **What a panic leaves behind.** An async task is a new future in each run, and shares only what the whole service shares: the
//! pool of connections (a connection on which a query panicked is closed), the store, and locks whose content is valid at
//! any time. The state of a task on its own thread is dropped after a panic, and replaced with a new connection. All work of
//! tasks may be repeated, so an interrupted run needs no other repair. A purge catches the panic of a single deletion, finishes
//! the others, and panics at its end.
//!
//! A run that takes longer than its `max_run` is reported as stalled, and continues.
//!
//! # Everything that is spawned, and what a panic in it does
//!
//! | spawned | where | after a panic |
//! |---|---|---|
//! | `prepare`, `purge`, `erase`, `sweep`, `revoke`, `history`, `usage`, `refused_credentials`, `seen_systems`, `unavailable_uploads`, `key_set`, `rejected_tokens` | here, on the runtime | started again |
//! | `lease`, `listen`, `memory` | here, on threads of their own | started again with a new connection |
//! | `abort` | `backups/upload/aborter.rs` | tried three times; after that `sweep` aborts the upload |
//! | `group_commit` | `actors/group_commit.rs` | the batch is answered "outcome unknown", the next one follows |
//! | `credential_lookup` | `auth/basic/lookup.rs` | the waiting requests are answered 503, the next batch follows |
//! | an upload | `backups/upload` | its `Reservation` is dropped, which aborts it |
//! | a refresh of the key set that a token caused | `auth/bearer/key_set_cache.rs` | the token is verified with the old set |
//! | queries (`spawn_blocking`) | `db/pool.rs` | `DbError::Failed`; the connection is closed |
//! | steps of the local store (`spawn_blocking`) | `store/local` | an error of that call; `sweep` removes the temporary file |
//! | a call to a bucket | `store/s3/calls.rs` | an error of that call |
//! | a put into a bucket, its roll back, the abort of a multipart upload | `store/s3` | the put fails; `sweep` removes the leftover |
//! | the reading of a key set (`spawn_blocking`) | `auth/bearer/key_source.rs` | that refresh fails |
//! | the first checks of database and store | `startup/mod.rs` | the start continues, and `prepare` checks again |
//! | the check of a pooler, of each host (threads) | `db/pooler.rs`, `db/connector.rs` | that attempt to connect fails |
//! | an organization's actor | `actors` | its operations are submitted again, to a new actor |
//! | the cache of rate refusals | `actors` | the database alone decides until the next start |
//! | a connection, a request | actix | that connection is closed |
//! | a server | `startup/signals.rs` | the process ends with an error |

mod thread;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

#[cfg(doc)]
use crate::telemetry::TaskStatus;
use crate::telemetry::{MAX_RESTART_DELAY, RunError, TaskFailure, TaskTable, restart_delay};
pub use thread::SupervisedThread;
pub(super) use thread::ThreadTask;

/// When a task is run.
#[derive(Debug, Clone, Copy)]
pub enum Period {
    /// Runs at once, then this long after the start of the last run; at once if that run took longer.
    SinceStart(Duration),
    /// Runs this long after the start of the supervisor, then this long after the end of the last run.
    SinceEnd(Duration),
    /// Runs like `SinceStart`, until the task succeeds.
    UntilSuccess(Duration),
}

impl Period {
    fn first_delay(self) -> Duration {
        match self {
            Self::SinceStart(_) | Self::UntilSuccess(_) => Duration::ZERO,
            Self::SinceEnd(period) => period,
        }
    }

    /// Returns the delay after a run that took this long.
    fn delay(self, took: Duration) -> Duration {
        match self {
            Self::SinceStart(period) | Self::UntilSuccess(period) => period.saturating_sub(took),
            Self::SinceEnd(period) => period,
        }
    }

    /// Returns how long to wait after a run; `None` if it was the last one.
    fn next(
        self,
        result: &Result<(), RunError>,
        took: Duration,
        max_restart_delay: Duration,
    ) -> Option<Duration> {
        match result {
            Ok(()) if matches!(self, Self::UntilSuccess(_)) => None,
            Ok(()) => Some(self.delay(took)),
            Err(RunError::Failed(failure)) => Some(failure.retry_after.unwrap_or(self.delay(took))),
            Err(RunError::Panicked(panics)) => Some(restart_delay(*panics, max_restart_delay)),
        }
    }
}

/// The description of a task for the supervisor.
#[derive(Debug, Clone, Copy)]
pub struct TaskDefinition {
    /// The task's name in the log, in the metrics and in health.
    pub name: &'static str,
    pub period: Period,
    /// A run that takes longer is reported as stalled.
    pub max_run: Option<Duration>,
    /// The longest delay before a restart.
    pub max_restart_delay: Duration,
}

impl TaskDefinition {
    pub fn new(name: &'static str, period: Period) -> Self {
        Self { name, period, max_run: None, max_restart_delay: MAX_RESTART_DELAY }
    }

    pub fn max_run(self, max_run: Duration) -> Self {
        Self { max_run: Some(max_run), ..self }
    }

    pub fn max_restart_delay(self, max_restart_delay: Duration) -> Self {
        Self { max_restart_delay, ..self }
    }
}

/// Runs tasks on `runtime`, and reports them in `table`.
pub struct Supervisor {
    runtime: Handle,
    table: TaskTable,
}

impl Supervisor {
    pub fn new(runtime: Handle, table: TaskTable) -> Self {
        Self { runtime, table }
    }

    /// Repeats `run_once` until the runtime ends.
    pub fn spawn<F>(&self, task: TaskDefinition, run_once: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), TaskFailure>> + Send,
    {
        self.spawn_with_wake(task, Arc::default(), run_once);
    }

    /// Like [`spawn`](Self::spawn); `wake` starts the next run before its time. It does not shorten the delay after a panic.
    pub fn spawn_with_wake<F>(
        &self,
        task: TaskDefinition,
        wake: Arc<Notify>,
        mut run_once: impl FnMut() -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), TaskFailure>> + Send,
    {
        let status = self.table.register(task.name, task.max_run);
        self.runtime.spawn(async move {
            let _ = timeout(task.period.first_delay(), wake.notified()).await;
            loop {
                let started = Instant::now();
                let result = status.run(async { run_once().await }).await;
                let next = task.period.next(&result, started.elapsed(), task.max_restart_delay);
                let Some(delay) = next else { return };
                if let Err(RunError::Panicked(_)) = result {
                    sleep(delay).await;
                } else {
                    let _ = timeout(delay, wake.notified()).await;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_period_since_the_start_makes_up_for_the_time_of_the_run() {
        let next = |period: Period, took| period.next(&Ok(()), took, SECOND);
        assert_eq!(next(Period::SinceStart(5 * SECOND), SECOND), Some(4 * SECOND));
        assert_eq!(next(Period::SinceStart(5 * SECOND), 9 * SECOND), Some(Duration::ZERO));
        assert_eq!(next(Period::SinceEnd(5 * SECOND), 9 * SECOND), Some(5 * SECOND));
        assert_eq!(next(Period::UntilSuccess(5 * SECOND), SECOND), None);
    }

    #[test]
    fn a_failure_may_say_when_to_try_again_and_a_panic_backs_off() {
        let period = Period::SinceStart(5 * SECOND);
        let next = |error| period.next(&Err(error), SECOND, MAX_RESTART_DELAY);
        let failure = TaskFailure::new("it failed");
        assert_eq!(next(RunError::Failed(failure.clone())), Some(4 * SECOND));
        assert_eq!(next(RunError::Failed(failure.retry_after(SECOND))), Some(SECOND));
        assert_eq!(next(RunError::Panicked(3)), Some(4 * SECOND));
    }
}
