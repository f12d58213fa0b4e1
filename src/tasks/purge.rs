//! Deletes the objects of retired backups, then their rows. A purge may be killed at any point, and any number of processes
//! may purge at the same time: an unfinished claim is claimed again, and deleting an object that is gone succeeds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::db_failure;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::purge::{self, Claimed};
use crate::db::{Conn, Db, DbError, Lane};
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

/// Rows claimed at a time.
const BATCH: usize = 50;
/// Objects deleted at the same time: an engine takes a while to answer, and a disk syncs several folders as fast as one.
const CONCURRENT_DELETIONS: usize = 8;
/// The time between two purges without being woken: for tombstones, and for what other processes have left.
const INTERVAL: Duration = Duration::from_secs(5);
/// A large backlog takes long, and the deletion of one batch only minutes.
const MAX_RUN: Duration = Duration::from_hours(1);
/// For a query, and for the deletion of an object.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after the store could not delete an object.
const RETRY_AFTER_SECONDS: f64 = 10.0;
const ATTEMPTS: u32 = 3;

/// Starts to purge whenever `wake` is notified, and regularly.
pub fn start(supervisor: &Supervisor, db: Db, store: Arc<dyn BlobStore>, wake: Arc<Notify>) {
    let task = TaskDefinition::new("purge", Period::SinceEnd(INTERVAL)).max_run(MAX_RUN);
    supervisor.spawn_with_wake(task, wake, move || {
        let (db, store) = (db.clone(), Arc::clone(&store));
        async move { run_once(&db, store.as_ref()).await.map(drop).map_err(db_failure) }
    });
}

/// What a purge has done.
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
}

/// Purges everything that is due.
pub async fn run_once(db: &Db, store: &dyn BlobStore) -> Result<PurgeReport, DbError> {
    let mut report = PurgeReport::default();
    loop {
        let claim = |conn: &mut _| purge::claim_due(conn, BATCH);
        let claimed = db.run(Lane::Reads, CALL_TIMEOUT, claim).await?;
        let is_last = claimed.len() < BATCH;
        let gone = purge_batch(db, store, claimed, &mut report).await;
        // If the store deletes nothing at all, stop: postponed backups would be due again before the end is reached.
        if is_last || gone == 0 {
            break;
        }
    }
    report.systems = db.run(Lane::Reads, CALL_TIMEOUT, purge::drop_destroyed_systems).await?;
    Ok(report)
}

/// Purges one batch and returns how many backups are gone. One bad item never stops the rest.
async fn purge_batch(
    db: &Db,
    store: &dyn BlobStore,
    claimed: Vec<Claimed>,
    report: &mut PurgeReport,
) -> usize {
    let deletions = claimed.into_iter().map(|backup| async move {
        fail_point!("purge.claimed");
        let result = delete_object(store, &backup.object_key).await;
        (backup, result)
    });
    let done: Vec<_> = stream::iter(deletions).buffer_unordered(CONCURRENT_DELETIONS).collect().await;
    let (mut gone, mut left) = (vec![], vec![]);
    let mut tombstones = 0;
    for (Claimed { id, failed, .. }, result) in done {
        match result {
            Ok(()) => {
                fail_point!("purge.deleted");
                gone.push(id);
                tombstones += usize::from(failed);
            }
            Err(error) => {
                log::warn!("purge backup {id}: {error}; trying again in {RETRY_AFTER_SECONDS} s");
                left.push(id);
            }
        }
    }
    let (count, mut failed) = (gone.len(), left.len());
    let dropped = write(db, gone, purge::drop_rows).await;
    if dropped {
        report.tombstones += tombstones;
        report.backups += count - tombstones;
    } else {
        failed += count;
    }
    // If this write fails, the rows are claimed again in a minute.
    write(db, left, |conn, ids| purge::postpone(conn, ids, RETRY_AFTER_SECONDS)).await;
    report.failed += failed;
    if dropped { count } else { 0 }
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
    let written = db.run(Lane::Reads, CALL_TIMEOUT, move |conn| query(conn, &ids)).await;
    if let Err(error) = &written {
        log::warn!("purge {count} backups: {error}; trying again");
    }
    written.is_ok()
}

/// Deletes an object in at most [`ATTEMPTS`] attempts.
pub async fn delete_object(store: &dyn BlobStore, key: &str) -> Result<(), String> {
    let key = ObjectKey::parse(key).map_err(|_| format!("{key:?} is no object key"))?;
    let mut pause = Duration::from_millis(100);
    for attempt in 1.. {
        let error = match timeout(CALL_TIMEOUT, store.delete(&key)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        if attempt == ATTEMPTS {
            return Err(error);
        }
        sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}
