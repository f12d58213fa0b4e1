//! Deletes the objects of retired backups, then their rows. It may be killed at any point, and any number of processes may
//! run it: a claim that was not finished is claimed again, and deleting what is gone succeeds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::db::purge::{self, Claimed};
use crate::db::{Conn, Db, DbError, Lane};
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

/// Rows claimed at a time.
const BATCH: usize = 50;
/// Objects deleted at the same time: an engine takes a while to answer, and a disk syncs several folders as fast as one.
const AT_ONCE: usize = 8;
/// How often to look without being woken: for tombstones, and for what other processes have left.
const INTERVAL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait after the store could not delete an object.
const RETRY_AFTER_SECONDS: f64 = 10.0;
const ATTEMPTS: u32 = 3;

/// Purges whenever it is woken, for ever.
pub async fn run(db: Db, store: Arc<dyn BlobStore>, wake: Arc<Notify>) {
    loop {
        let _ = timeout(INTERVAL, wake.notified()).await;
        if let Err(error) = run_once(&db, store.as_ref()).await {
            log::warn!("purge: {error}; trying again");
        }
    }
}

/// What a purge did.
#[derive(Debug, Default)]
pub struct Purged {
    /// Retired backups whose object and row are gone.
    pub backups: usize,
    /// Failed uploads whose tombstone is gone.
    pub tombstones: usize,
    /// Destroyed systems whose row is gone.
    pub systems: usize,
    /// What is tried again later.
    pub failed: usize,
}

/// Purges everything that is due.
pub async fn run_once(db: &Db, store: &dyn BlobStore) -> Result<Purged, DbError> {
    let mut purged = Purged::default();
    loop {
        let claim = |conn: &mut _| purge::claim_due(conn, BATCH);
        let claimed = db.run(Lane::Reads, PATIENCE, claim).await?;
        let all = claimed.len() < BATCH;
        let gone = purge_batch(db, store, claimed, &mut purged).await;
        // If the store deletes nothing at all, stop: what was put off would be due again before the end is reached.
        if all || gone == 0 {
            break;
        }
    }
    purged.systems = db.run(Lane::Reads, PATIENCE, purge::drop_destroyed_systems).await?;
    Ok(purged)
}

/// Purges one batch, and says how many are gone. One bad item never stops the rest.
async fn purge_batch(db: &Db, store: &dyn BlobStore, claimed: Vec<Claimed>, purged: &mut Purged) -> usize {
    let deletions = claimed.into_iter().map(|backup| async move {
        fail_point!("purge.claimed");
        let result = delete_object(store, &backup.object_key).await;
        (backup, result)
    });
    let done: Vec<_> = stream::iter(deletions).buffer_unordered(AT_ONCE).collect().await;
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
        purged.tombstones += tombstones;
        purged.backups += count - tombstones;
    } else {
        failed += count;
    }
    // If this can't be written, the rows are claimed again in a minute.
    write(db, left, |conn, ids| purge::postpone(conn, ids, RETRY_AFTER_SECONDS)).await;
    purged.failed += failed;
    if dropped { count } else { 0 }
}

/// Runs `query` on these rows, if there are any, and says whether it succeeded.
async fn write(
    db: &Db,
    ids: Vec<Uuid>,
    query: impl Fn(&mut Conn, &[Uuid]) -> Result<(), DbError> + Send + 'static,
) -> bool {
    if ids.is_empty() {
        return true;
    }
    let count = ids.len();
    let written = db.run(Lane::Reads, PATIENCE, move |conn| query(conn, &ids)).await;
    if let Err(error) = &written {
        log::warn!("purge {count} backups: {error}; trying again");
    }
    written.is_ok()
}

/// Deletes an object, with a few attempts.
pub async fn delete_object(store: &dyn BlobStore, key: &str) -> Result<(), String> {
    let key = ObjectKey::parse(key).map_err(|_| format!("{key:?} is no object key"))?;
    let mut pause = Duration::from_millis(100);
    for attempt in 1.. {
        let error = match timeout(PATIENCE, store.delete(&key)).await {
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
