//! Objects without a row: found, and deleted if that is asked for.
//!
//! **Why an upload under way is never one of them.** An upload's row is committed before its object exists, and dropped
//! only after its object is gone; and keys are used once. The store is asked first and the database after it. So if a
//! listed object had a row at that time and has none now, the row was dropped meanwhile, and the object is gone, too:
//! deleting it again does nothing. Something that made rows for existing objects would have to be kept from running
//! beside this; there is no such thing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::stream::TryChunksError;
use futures_util::{Stream, TryStreamExt};

use super::TaskError;
use super::purge::delete_object;
use crate::db::{Db, Lane, backups, lift_statement_timeout, objects};
use crate::domain::orphans::Evidence;
use crate::store::{BlobStore, ObjectInfo};

/// Objects whose rows are asked for in one query.
const BATCH: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(10);

/// A batch of a listing, compared with the rows.
pub(super) struct Looked {
    /// How many have a row.
    pub(super) known: u64,
    /// When the last of those that have a row was written, by the store's clock.
    pub(super) newest_known: Option<DateTime<Utc>>,
    /// Those that have none.
    pub(super) unknown: Vec<ObjectInfo>,
}

impl Looked {
    pub(super) fn count(&self) -> u64 {
        self.known + self.unknown.len() as u64
    }
}

/// All objects, batch by batch, and whether they have a row. Memory does not grow with the number of objects.
pub(super) fn look_up(db: Db, store: &dyn BlobStore) -> impl Stream<Item = Result<Looked, TaskError>> {
    let batches = store.list("").try_chunks(BATCH).map_err(|TryChunksError(_, error)| TaskError::from(error));
    batches.and_then(move |batch| {
        let db = db.clone();
        async move {
            let keys: Vec<_> = batch.iter().map(|object| object.key.to_string()).collect();
            let ask = move |conn: &mut _| objects::known_among(conn, &keys);
            let known = db.run(Lane::Reads, PATIENCE, ask).await?;
            let (with_row, unknown): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|object| known.contains(object.key.as_str()));
            let newest_known = with_row.iter().filter_map(|object| object.modified).max();
            Ok(Looked { known: with_row.len() as u64, newest_known, unknown })
        }
    })
}

/// Looks at all objects and rows, and changes nothing. `step` is called with the number of objects of each batch. Times are
/// the store's: what a process's clock said when it made an id proves nothing.
pub async fn evidence(db: &Db, store: &dyn BlobStore, step: &dyn Fn(u64)) -> Result<Evidence, TaskError> {
    let mut evidence = Evidence::default();
    let mut looked = std::pin::pin!(look_up(db.clone(), store));
    while let Some(part) = looked.try_next().await? {
        step(part.count());
        evidence.known += part.known;
        evidence.newest_known = evidence.newest_known.max(part.newest_known);
        evidence.orphans += part.unknown.len() as u64;
        let newest = part.unknown.iter().filter_map(|object| object.modified).max();
        evidence.newest_orphan = evidence.newest_orphan.max(newest);
        let keys: Vec<_> = part.unknown.into_iter().map(|object| object.key).collect();
        if !keys.is_empty() {
            // A history may be long, and a person waits.
            let ask = move |conn: &mut _| {
                lift_statement_timeout(conn)?;
                objects::never_seen(conn, &keys)
            };
            evidence.never_seen += db.run_alone(ask).await?.len() as u64;
        }
    }
    evidence.any_stored = !db.run(Lane::Reads, PATIENCE, backups::none_stored).await?;
    Ok(evidence)
}

/// What became of the objects without a row.
#[derive(Debug, Default)]
pub struct Cleared {
    pub deleted: u64,
    /// Not old enough, or of unknown age.
    pub kept: u64,
    pub failed: u64,
}

/// Deletes the objects that have no row and were last written before `before`, by the store's clock.
/// `deleted` is called with each one, and the history has it as well.
pub async fn delete(
    db: &Db,
    store: &dyn BlobStore,
    before: DateTime<Utc>,
    deleted: &mut dyn FnMut(ObjectInfo),
) -> Result<Cleared, TaskError> {
    let mut cleared = Cleared::default();
    let mut looked = std::pin::pin!(look_up(db.clone(), store));
    while let Some(part) = looked.try_next().await? {
        let mut gone = Vec::new();
        for object in part.unknown {
            if object.modified.is_none_or(|modified| modified >= before) {
                cleared.kept += 1;
                continue;
            }
            match delete_object(store, object.key.as_str()).await {
                Ok(()) => {
                    log::info!("deleted {}, an object without a row", object.key);
                    gone.push((object.key.clone(), object.size));
                    cleared.deleted += 1;
                    deleted(object);
                }
                // One bad item never stops the rest.
                Err(error) => {
                    log::warn!("delete {}: {error}", object.key);
                    cleared.failed += 1;
                }
            }
        }
        // If the connection is lost this may be written twice: better than not at all.
        let note = move |conn: &mut _| objects::note_deleted_orphans(conn, &gone);
        db.run(Lane::Reads, PATIENCE, note).await?;
    }
    Ok(cleared)
}
