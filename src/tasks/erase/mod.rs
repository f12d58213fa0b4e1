//! Erases the systems that are marked as being destroyed, whoever has marked them: a portal, or an operator whose command was
//! interrupted.
//!
//! An erasure is a sequence of steps, of which each may be repeated ([`Eraser::erase`]). A process that dies leaves an erasure
//! that another one, or the next, takes up when its claim is over.
//!
//! | two things at the same time | why that is safe |
//! |---|---|
//! | two processes that erase one system | A claim usually prevents it. If a step takes longer than the claim, both do the same: retiring is exact under the locks of the accounting, deleting an object twice does no harm, and only one of them drops the system's row, in the transaction that records it. |
//! | an erasure and a purge | The purge deletes retired backups, in the same order. The erasure finds fewer objects. The purge deletes a system's row only when the erasure has seen that no object is left. |
//! | an erasure and an upload | The system is marked, so the upload is refused at its commit. Its tombstone keeps the system's row until an object can't be written any more. A small upload that comes before its row is refused in the same way, and its task deletes the object; if its process dies at that moment, the sweep deletes it an hour later. |
//! | an erasure that was paused, and a new system with the same key | The objects of a listing are compared with the marks and then with the rows: an object has one of them before it exists. An object of another system is not deleted, nor one with a mark once the system's own row is gone. |

mod eraser;

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Notify;

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::erasures::{self, Erasure};
use crate::db::{Db, DbError, Lane};
use crate::telemetry::TaskFailure;
pub use eraser::{Accounting, Eraser, ErasureProgress};

/// The time between two runs without a wake: for erasures whose process has died, and for those that other processes have begun.
const INTERVAL: Duration = Duration::from_secs(3);
/// A large fleet takes long; a single erasure takes minutes at most.
const MAX_RUN: Duration = Duration::from_hours(1);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Erasures claimed at a time, and worked on at the same time: one that is slow must not hold up the others.
const BATCH: usize = 8;
/// How long to wait after an erasure that failed.
const RETRY_AFTER_SECONDS: f64 = 10.0;

/// Starts to erase whenever `wake` is notified, and regularly.
pub fn start(supervisor: &Supervisor, eraser: Eraser, wake: Arc<Notify>) {
    let task = TaskDefinition::new("erase", Period::SinceEnd(INTERVAL)).max_run(MAX_RUN);
    let eraser = Arc::new(eraser);
    supervisor.spawn_with_wake(task, wake, move || {
        let eraser = Arc::clone(&eraser);
        async move {
            let report = run_once(&eraser).await.map_err(db_failure)?;
            // All the rest is erased. The run ends as a panic or an outage, which health and the metrics show.
            if let Some(panic) = report.panic {
                resume_unwind(panic);
            }
            report.outage.map_or(Ok(()), Err)
        }
    });
}

/// The erasures of a run that have failed. The others are done.
#[derive(Default)]
struct Report {
    /// The first panic.
    panic: Option<Box<dyn Any + Send>>,
    /// The first failure because the database or the store is down.
    outage: Option<TaskFailure>,
}

/// Works on everything that is to be erased.
async fn run_once(eraser: &Eraser) -> Result<Report, DbError> {
    let db = &eraser.db;
    let mut report = Report::default();
    db.run(Lane::Tasks, QUERY_TIMEOUT, erasures::adopt).await?;
    loop {
        let claim = |conn: &mut _| erasures::claim_to_do(conn, BATCH);
        let claimed = db.run(Lane::Tasks, QUERY_TIMEOUT, claim).await?;
        let is_last = claimed.len() < BATCH;
        let succeeded = erase_batch(eraser, claimed, &mut report).await;
        // If no erasure succeeds, stop: those that failed would be due again before the end is reached.
        if is_last || succeeded == 0 {
            break;
        }
    }
    finish(db).await?;
    Ok(report)
}

/// Works on one batch, and returns how many erasures succeeded. One that fails or panics stops no other one.
async fn erase_batch(eraser: &Eraser, claimed: Vec<Erasure>, report: &mut Report) -> usize {
    let work = claimed.into_iter().map(|erasure| async move {
        let mut progress = ErasureProgress::default();
        let erasing = async {
            fail_point!("erase.system", erasure.system_id);
            eraser.erase(&erasure, &mut progress, &|_| {}).await
        };
        let result = AssertUnwindSafe(erasing).catch_unwind().await;
        (erasure, result)
    });
    let mut succeeded = 0;
    let mut done = stream::iter(work).buffer_unordered(BATCH);
    while let Some((Erasure { system_id, .. }, result)) = done.next().await {
        match result {
            Ok(Ok(())) => {
                succeeded += 1;
                continue;
            }
            Ok(Err(error)) => {
                let text = format!("could not erase the system {system_id}: {error}");
                let failure = TaskFailure::from(error);
                // The supervisor logs an outage once.
                if failure.is_outage {
                    report.outage.get_or_insert(TaskFailure { text, ..failure });
                } else {
                    log::warn!("{text}; trying again in {RETRY_AFTER_SECONDS} s");
                }
            }
            Err(panic) => {
                log::warn!(
                    "the erasure of the system {system_id} panicked; trying again in {RETRY_AFTER_SECONDS} s"
                );
                report.panic.get_or_insert(panic);
            }
        }
        let postpone = move |conn: &mut _| erasures::postpone(conn, system_id, RETRY_AFTER_SECONDS);
        // If this write fails, the claim is over in a few seconds.
        if let Err(error) = eraser.db.run(Lane::Tasks, QUERY_TIMEOUT, postpone).await {
            log::debug!("could not postpone the erasure of the system {system_id}: {error}");
        }
    }
    succeeded
}

/// Drops the rows of the systems of which everything is erased, and returns their number.
pub(super) async fn finish(db: &Db) -> Result<usize, DbError> {
    let erased = db.run(Lane::Tasks, QUERY_TIMEOUT, erasures::finish).await?;
    for system in &erased {
        log::info!(
            "system {} ({}) of organization {} is erased",
            system.id,
            system.system_key,
            system.org_id
        );
    }
    Ok(erased.len())
}
