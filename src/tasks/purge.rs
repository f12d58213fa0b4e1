//! Deletes the objects of retired backups, then their rows. A purge may be killed at any point, and any number of processes
//! may purge at the same time: an unfinished claim is claimed again, and deleting a missing object succeeds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Notify;
use uuid::Uuid;

use super::db_failure;
use super::delete_object::delete_object;
use super::erase;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::purge::{self, Claimed};
use crate::db::{Conn, Db, DbError, Lane};
use crate::store::BlobStore;

/// Rows claimed at a time.
const BATCH: usize = 50;
/// Objects deleted at the same time: an engine takes a while to answer, and a disk syncs several folders as fast as one.
const CONCURRENT_DELETIONS: usize = 8;
/// The time between two purges without a wake: for tombstones, and for backups that other processes have retired.
const INTERVAL: Duration = Duration::from_secs(5);
/// A large backlog takes long; a single batch takes minutes at most.
const MAX_RUN: Duration = Duration::from_hours(1);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after a deletion that failed.
const RETRY_AFTER_SECONDS: f64 = 10.0;

/// Starts to purge whenever `wake` is notified, and regularly.
pub fn start(supervisor: &Supervisor, db: Db, store: Arc<dyn BlobStore>, wake: Arc<Notify>) {
    let task = TaskDefinition::new("purge", Period::SinceEnd(INTERVAL)).max_run(MAX_RUN);
    supervisor.spawn_with_wake(task, wake, move || {
        let (db, store) = (db.clone(), Arc::clone(&store));
        async move {
            let report = run_once(&db, store.as_ref()).await.map_err(db_failure)?;
            // All the rest is purged. The run ends as a panic, which health and the metrics show.
            report.panic.map_or(Ok(()), |panic| resume_unwind(panic))
        }
    });
}

type Panic = Box<dyn Any + Send>;

/// Why an object was not deleted.
enum DeletionError {
    Failed(String),
    Panicked(Panic),
}

/// The result of a purge.
#[derive(Debug, Default)]
pub struct PurgeReport {
    /// Retired backups whose object and row were deleted.
    pub backups: usize,
    /// Failed uploads whose tombstone was deleted.
    pub tombstones: usize,
    /// Destroyed systems whose row was deleted.
    pub systems: usize,
    /// Backups that a later purge tries again.
    pub failed: usize,
    /// The first panic of a deletion, if there was one.
    pub panic: Option<Panic>,
}

/// Purges everything that is due.
pub async fn run_once(db: &Db, store: &dyn BlobStore) -> Result<PurgeReport, DbError> {
    let mut report = PurgeReport::default();
    match purge_all(db, store, &mut report).await {
        // An outage must not hide the panic.
        Err(error) if report.panic.is_some() => {
            log::warn!("could not finish the purge: {error}; the next purge tries again");
            Ok(report)
        }
        all => all.map(|()| report),
    }
}

async fn purge_all(db: &Db, store: &dyn BlobStore, report: &mut PurgeReport) -> Result<(), DbError> {
    loop {
        let claim = |conn: &mut _| purge::claim_due(conn, BATCH);
        let claimed = db.run(Lane::Tasks, QUERY_TIMEOUT, claim).await?;
        let is_last = claimed.len() < BATCH;
        let purged = purge_batch(db, store, claimed, report).await;
        // If no deletion succeeds, stop: postponed backups would be due again before the end is reached.
        if is_last || purged == 0 {
            break;
        }
    }
    // The last tombstone of a system may be gone.
    report.systems = erase::finish(db).await?;
    Ok(())
}

/// Purges one batch, and returns the number of backups that were purged. A deletion that fails or panics stops no other one.
async fn purge_batch(
    db: &Db,
    store: &dyn BlobStore,
    claimed: Vec<Claimed>,
    report: &mut PurgeReport,
) -> usize {
    let deletions = claimed.into_iter().map(|backup| async move {
        let result = delete(store, &backup).await;
        (backup, result)
    });
    let done: Vec<_> = stream::iter(deletions).buffer_unordered(CONCURRENT_DELETIONS).collect().await;
    let (mut deleted, mut postponed) = (vec![], vec![]);
    let mut tombstones = 0;
    for (Claimed { id, failed, .. }, result) in done {
        match result {
            Ok(()) => {
                fail_point!("purge.deleted");
                deleted.push(id);
                tombstones += usize::from(failed);
            }
            Err(error) => {
                let reason = match error {
                    DeletionError::Failed(reason) => reason,
                    DeletionError::Panicked(panic) => {
                        report.panic.get_or_insert(panic);
                        "the deletion of its object panicked".to_owned()
                    }
                };
                log::warn!(
                    "could not purge the backup {id}: {reason}; trying again in {RETRY_AFTER_SECONDS} s"
                );
                postponed.push(id);
            }
        }
    }
    let (count, mut failed) = (deleted.len(), postponed.len());
    let dropped = write(db, deleted, purge::drop_rows).await;
    if dropped {
        report.tombstones += tombstones;
        report.backups += count - tombstones;
    } else {
        failed += count;
    }
    // If this write fails, the rows are claimed again in a minute.
    write(db, postponed, |conn, ids| purge::postpone(conn, ids, RETRY_AFTER_SECONDS)).await;
    report.failed += failed;
    if dropped { count } else { 0 }
}

/// Deletes the object of one backup. Catches a panic: without that, one object whose deletion always panics would stop its
/// whole batch each time.
async fn delete(store: &dyn BlobStore, backup: &Claimed) -> Result<(), DeletionError> {
    let deletion = async {
        fail_point!("purge.claimed");
        fail_point!("purge.object", backup.id);
        delete_object(store, &backup.object_key).await
    };
    match AssertUnwindSafe(deletion).catch_unwind().await {
        Ok(result) => result.map_err(DeletionError::Failed),
        Err(panic) => Err(DeletionError::Panicked(panic)),
    }
}

/// Runs `query` on these rows, if there are any, and returns whether it succeeded.
async fn write(
    db: &Db,
    ids: Vec<Uuid>,
    query: impl Fn(&mut Conn, &[Uuid]) -> Result<(), DbError> + Send + 'static,
) -> bool {
    if ids.is_empty() {
        return true;
    }
    let count = ids.len();
    let written = db.run(Lane::Tasks, QUERY_TIMEOUT, move |conn| query(conn, &ids)).await;
    if let Err(error) = &written {
        log::warn!("could not record the purge of {count} backups: {error}; trying again");
    }
    written.is_ok()
}
