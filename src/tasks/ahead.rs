//! Objects that were put ahead of their transaction by processes that died, or that do not know its outcome.
//!
//! If the object has a row, only its mark is removed: the row says what becomes of it. Otherwise nobody will ever read it, and it is
//! deleted an hour after it was written. A transaction that is still under way holds the lock of its organization. The hour is
//! for one that Postgres has not begun yet.

use std::time::Duration;

use super::TaskError;
use crate::db::{Db, Lane, objects};
use crate::store::{BlobStore, ObjectInfo, StoreError, Unclaimed};

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an object without a row is kept, by the store's clock.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Removes the objects that have a mark from what was listed. The caller has to list first, and to read the rows last: the mark of
/// an object that becomes a backup is older than the object, and is removed after its row is there.
pub(super) async fn without_marked(
    store: &dyn BlobStore,
    mut listed: Vec<ObjectInfo>,
) -> Result<Vec<ObjectInfo>, StoreError> {
    let marked = store.marked().await?;
    listed.retain(|object| !marked.contains(&object.key));
    Ok(listed)
}

/// Settles these objects, and returns how many were deleted.
pub(super) async fn settle(db: &Db, store: &dyn BlobStore) -> Result<usize, TaskError> {
    let unclaimed = store.find_unclaimed().await?;
    if unclaimed.is_empty() {
        return Ok(0);
    }
    let keys: Vec<_> = unclaimed.iter().map(|object| object.key.to_string()).collect();
    let query = move |conn: &mut _| Ok((objects::known_among(conn, &keys)?, objects::now(conn)?));
    let (known, now) = db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
    let mut deleted = 0;
    for Unclaimed { key, written } in unclaimed {
        if known.contains(key.as_str()) {
            store.remove_mark(&key).await?;
        } else if written + KEPT <= now {
            let own = key.clone();
            let query = move |conn: &mut _| objects::is_nobodys(conn, &own);
            if db.run(Lane::Tasks, QUERY_TIMEOUT, query).await? {
                store.delete(&key).await?;
                store.remove_mark(&key).await?;
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}
