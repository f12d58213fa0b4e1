//! Finds objects without a row, and deletes them for an operator.
//!
//! **Why an upload under way is never an orphan.** Before its object exists, an upload has a committed row or, if the object is
//! put ahead, a mark; and the mark is removed only when the row is committed or the object deleted. A row is deleted only after
//! its object, and keys are used once. The store is listed first, then the marks are read, and then the database. So if a listed
//! object has neither mark nor row, it was deleted meanwhile, and deleting it again does nothing; or it is an orphan. No other
//! code creates rows for existing objects: such a process must not run at the same time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::stream::TryChunksError;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::TaskError;
use super::delete_object::delete_object;
use super::marked::{if_it_exists, without_marked};
use crate::db::{Db, Lane, backups, lift_statement_timeout, objects};
use crate::domain::orphans::Evidence;
use crate::store::{BlobStore, ObjectInfo};

/// Objects whose rows are read in one query.
const BATCH: usize = 1000;
/// Objects that are looked for at the same time.
const CONCURRENT_CALLS: usize = 16;
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// A batch of listed objects, compared with the rows.
pub(super) struct CheckedBatch {
    /// The number of objects that have a row.
    pub(super) known: u64,
    /// The time when the newest object that has a row was written, by the store's clock.
    pub(super) newest_known: Option<DateTime<Utc>>,
    /// The objects that have no row.
    pub(super) unknown: Vec<ObjectInfo>,
}

impl CheckedBatch {
    pub(super) fn count(&self) -> u64 {
        self.known + self.unknown.len() as u64
    }
}

/// Lists all objects batch by batch and compares them with the rows. Memory does not grow with the number of objects.
pub(super) fn checked_batches(
    db: Db,
    store: &dyn BlobStore,
) -> impl Stream<Item = Result<CheckedBatch, TaskError>> {
    let batches = store.list("").try_chunks(BATCH).map_err(|TryChunksError(_, error)| TaskError::from(error));
    batches.and_then(move |batch| {
        let db = db.clone();
        async move {
            let batch = without_marked(store, batch).await?;
            let keys: Vec<_> = batch.iter().map(|object| object.key.to_string()).collect();
            let query = move |conn: &mut _| objects::known_among(conn, &keys);
            let known = db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
            let (with_row, unknown): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|object| known.contains(object.key.as_str()));
            let newest_known = with_row.iter().filter_map(|object| object.modified).max();
            Ok(CheckedBatch { known: with_row.len() as u64, newest_known, unknown })
        }
    })
}

/// Compares all objects with the rows, and changes nothing. Calls `step` with the number of objects of each batch. Times are
/// the store's: the time in an id is that of a process's clock, and proves nothing.
pub async fn gather_evidence(
    db: &Db,
    store: &dyn BlobStore,
    step: &(dyn Fn(u64) + Sync),
) -> Result<Evidence, TaskError> {
    let mut evidence = Evidence::default();
    let mut batches = std::pin::pin!(checked_batches(db.clone(), store));
    while let Some(part) = batches.try_next().await? {
        step(part.count());
        evidence.known += part.known;
        evidence.newest_known = evidence.newest_known.max(part.newest_known);
        // The object of a small upload that was refused meanwhile had no row either, and is gone.
        let checked = stream::iter(part.unknown).map(|object| if_it_exists(store, object));
        let unknown: Vec<_> = checked.buffered(CONCURRENT_CALLS).try_collect().await?;
        let unknown: Vec<_> = unknown.into_iter().flatten().collect();
        evidence.orphans += unknown.len() as u64;
        let newest = unknown.iter().filter_map(|object| object.modified).max();
        evidence.newest_orphan = evidence.newest_orphan.max(newest);
        let keys: Vec<_> = unknown.into_iter().map(|object| object.key).collect();
        if !keys.is_empty() {
            // The history may be too long for the usual statement timeout.
            let query = move |conn: &mut _| {
                lift_statement_timeout(conn)?;
                objects::never_seen(conn, &keys)
            };
            evidence.never_seen += db.run_alone(query).await?.len() as u64;
        }
    }
    evidence.any_stored = !db.run(Lane::Tasks, QUERY_TIMEOUT, backups::none_stored).await?;
    Ok(evidence)
}

/// The result of a deletion of orphans.
#[derive(Debug, Default)]
pub struct OrphanReport {
    pub deleted: u64,
    /// Objects that are not old enough, or whose age is unknown.
    pub kept: u64,
    pub failed: u64,
}

/// Deletes the objects that have no row and were last written before `before`, by the store's clock. Calls `deleted` with
/// each one, and records it in the history.
pub async fn delete(
    db: &Db,
    store: &dyn BlobStore,
    before: DateTime<Utc>,
    deleted: &mut dyn FnMut(ObjectInfo),
) -> Result<OrphanReport, TaskError> {
    let mut report = OrphanReport::default();
    let mut batches = std::pin::pin!(checked_batches(db.clone(), store));
    while let Some(part) = batches.try_next().await? {
        let mut deleted_objects = Vec::new();
        for object in part.unknown {
            if object.modified.is_none_or(|modified| modified >= before) {
                report.kept += 1;
                continue;
            }
            match delete_object(store, object.key.as_str()).await {
                Ok(()) => {
                    log::info!("deleted {}, an object without a row", object.key);
                    deleted_objects.push((object.key.clone(), object.size));
                    report.deleted += 1;
                    deleted(object);
                }
                // A failure never stops the rest.
                Err(error) => {
                    log::warn!("could not delete {}: {error}", object.key);
                    report.failed += 1;
                }
            }
        }
        // If the connection is lost, the history may have these events twice, which is better than not at all.
        let note = move |conn: &mut _| objects::note_deleted_orphans(conn, &deleted_objects);
        db.run(Lane::Tasks, QUERY_TIMEOUT, note).await?;
    }
    Ok(report)
}
