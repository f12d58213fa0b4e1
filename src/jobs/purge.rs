//! Deletes the objects of retired backups, then their rows. May be killed at any point and run by
//! any number of processes: a claim that was not finished is claimed again, and deleting what is
//! gone succeeds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::db::purge::{self, Claimed};
use crate::db::{Db, DbError, Lane};
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

/// Rows claimed at a time.
const BATCH: i64 = 50;
/// A look without being woken: for tombstones, and for what other processes left.
const INTERVAL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);
/// When the store could not delete an object, in seconds.
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
        if claimed.is_empty() {
            break;
        }
        fail_point!("purge.claimed");
        let mut gone = 0;
        for backup in claimed {
            let (id, failed) = (backup.id, backup.failed);
            match purge_one(db, store, backup).await {
                Ok(true) => {
                    gone += 1;
                    *(if failed { &mut purged.tombstones } else { &mut purged.backups }) += 1;
                }
                Ok(false) => purged.failed += 1,
                // One bad item never stops the rest.
                Err(error) => {
                    log::warn!("purge backup {id}: {error}; trying again");
                    purged.failed += 1;
                }
            }
        }
        // With a store that does nothing at all, what was put off would be due again before the end is near.
        if gone == 0 {
            break;
        }
    }
    purged.systems = db.run(Lane::Reads, PATIENCE, purge::drop_destroyed_systems).await?;
    Ok(purged)
}

async fn purge_one(db: &Db, store: &dyn BlobStore, backup: Claimed) -> Result<bool, DbError> {
    let id = backup.id;
    match delete_object(store, &backup.object_key).await {
        Ok(()) => {
            fail_point!("purge.deleted");
            db.run(Lane::Reads, PATIENCE, move |conn| purge::drop_row(conn, id)).await?;
            Ok(true)
        }
        Err(error) => {
            log::warn!("purge backup {id}: {error}; trying again in {RETRY_AFTER_SECONDS} s");
            let later = move |conn: &mut _| purge::postpone(conn, id, RETRY_AFTER_SECONDS);
            db.run(Lane::Reads, PATIENCE, later).await?;
            Ok(false)
        }
    }
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
