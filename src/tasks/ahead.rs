//! Objects that were put ahead of their transaction by processes that died, or that do not know its outcome.
//!
//! If the object has a row, only its mark is removed: the row says what becomes of it. If it has none, no client was told that it is
//! stored, and it is deleted an hour after it was written. A transaction that is still under way holds the lock of its
//! organization. The hour is for one that Postgres has not begun yet.
//!
//! A database that is older than the store lacks the row too: a power cut may bring marks back that were removed in its last
//! seconds. So if anything else in the store suggests that, only the mark is removed, and the object is one without a row.

use std::time::Duration;

use super::TaskError;
use super::orphans::gather_evidence;
use crate::db::{Db, Lane, objects};
use crate::domain::object_key::ObjectKey;
use crate::domain::orphans::objection;
use crate::store::{BlobStore, Unclaimed};

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an object without a row is kept, by the store's clock.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Settles these objects, and returns how many were deleted.
pub(super) async fn settle(db: &Db, store: &dyn BlobStore) -> Result<usize, TaskError> {
    let unclaimed = store.find_unclaimed().await?;
    if unclaimed.is_empty() {
        return Ok(0);
    }
    let keys: Vec<_> = unclaimed.iter().map(|object| object.key.to_string()).collect();
    let query = move |conn: &mut _| Ok((objects::known_among(conn, &keys)?, objects::now(conn)?));
    let (known, now) = db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
    let mut nobodys = Vec::new();
    for Unclaimed { key, written } in unclaimed {
        if known.contains(key.as_str()) {
            store.remove_mark(&key).await?;
        } else if written + KEPT <= now {
            let own = key.clone();
            let query = move |conn: &mut _| objects::is_nobodys(conn, &own);
            if db.run(Lane::Tasks, QUERY_TIMEOUT, query).await? {
                nobodys.push(key);
            }
        }
    }
    remove(db, store, nobodys).await
}

/// Removes these objects, or only their marks if the database may be older than the store.
async fn remove(db: &Db, store: &dyn BlobStore, keys: Vec<ObjectKey>) -> Result<usize, TaskError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let doubt = objection(&gather_evidence(db, store, &|_| {}).await?);
    for key in &keys {
        if let Some(doubt) = doubt {
            log::warn!("{key} has no row, and is kept: {doubt} (`strongroom audit --store` shows it)");
        } else {
            store.delete(key).await?;
        }
        store.remove_mark(key).await?;
    }
    Ok(if doubt.is_none() { keys.len() } else { 0 })
}
