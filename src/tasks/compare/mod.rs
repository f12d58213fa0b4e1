//! Compares rows and objects, and changes nothing.
//!
//! A store lists its objects in the order of their keys, and the database reads rows in the same order. So the comparison
//! merges one listing of the whole store with pages of rows. Memory grows with neither. The order only saves work: if a
//! store lists in another order, each apparent difference is checked by its key before it is reported.
//!
//! **Why live traffic causes no differences.** Objects follow rows (`docs/decisions/0009-rows-before-objects.md`), so for
//! each key three periods are nested: the period in which its row is `stored` lies within the period in which its object
//! exists, which lies within the period in which it has a row in any state. A key is used once, so each of the three is
//! unbroken. (The object of a small upload may come before its row: it has a mark until then. Marks are read between objects and rows, and
//! an object with a mark is no orphan.) A real difference is seen in the inner period, then found missing in the outer one, then seen in the inner period
//! again: it was missing at a time at which it had to exist. The three checks for each kind of difference:
//!
//! | difference | seen | not seen | still seen |
//! |---|---|---|---|
//! | missing, size | a stored row | its object, by `head` | the row, stored |
//! | orphan | an object, in the listing | a row with its key | the object, by `head` |
//! | leftover | an unfinished write, in the store's list | a `receiving` row | the unfinished write |
//!
//! A row or an object that came or went meanwhile fails one of the three checks. Rows in the states `receiving` and
//! `retired` promise nothing about an object, so they cause no difference either way.

mod difference;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::TryChunksError;
use futures_util::{StreamExt, TryStreamExt, stream};

pub use difference::{Difference, DifferenceKind};
use difference::{ObjectState, Suspect, orphan, unfinished};

use super::TaskError;
use super::leftovers::without_upload;
use super::marked::{if_it_exists, without_marked};
use crate::db::objects::{self, ObjectRow};
use crate::db::{Db, DbError, Lane};
use crate::domain::object_key::ObjectKey;
use crate::store::{BlobStore, Leftover, ObjectInfo, StoreError};

/// The number of rows that one query reads, and of objects that are taken from the listing at a time.
const PAGE: usize = 1000;
/// The number of concurrent calls to the store.
const CONCURRENT_CALLS: usize = 8;
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a comparison reports while it runs.
#[derive(Debug)]
pub enum ComparisonStep {
    /// The number of stored rows that were compared.
    Rows(u64),
    /// The number of objects that were compared.
    Objects(u64),
    Difference(Difference),
}

/// The two sides of a comparison.
pub struct Comparison {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
}

impl Comparison {
    /// Compares everything, and reports each difference when it is found.
    ///
    /// # Errors
    /// The database or the store became unavailable. The differences reported before are true, but incomplete.
    pub async fn run(&self, report: &mut dyn FnMut(ComparisonStep)) -> Result<(), TaskError> {
        // Find unfinished writes first, so that those of live uploads have the most time to end.
        let left = self.store.find_leftovers().await?;
        let listing = self.store.list("").try_chunks(PAGE);
        let mut batches = listing.map_err(|TryChunksError(_, error)| TaskError::from(error));
        let mut last_key = String::new();
        while let Some(objects) = batches.try_next().await? {
            let until = objects.iter().map(|object| object.key.as_str()).max().unwrap_or_default().to_owned();
            report(ComparisonStep::Objects(objects.len() as u64));
            let without_row = self.rows(&mut last_key, Some(&until), objects, report).await?;
            self.orphans(without_row, report).await?;
        }
        self.rows(&mut last_key, None, vec![], report).await?;
        self.leftovers(left, report).await
    }

    /// Reads the rows after `last_key` up to `until`, advances `last_key`, reports the rows whose object is missing or has
    /// another size, and returns the objects without a row. `objects` were listed before, so the row of each one is found if
    /// it exists.
    async fn rows(
        &self,
        last_key: &mut String,
        until: Option<&str>,
        objects: Vec<ObjectInfo>,
        report: &mut dyn FnMut(ComparisonStep),
    ) -> Result<Vec<ObjectInfo>, TaskError> {
        let mut listed: BTreeMap<String, ObjectInfo> =
            objects.into_iter().map(|object| (object.key.to_string(), object)).collect();
        loop {
            let (after, bound) = (last_key.clone(), until.map(str::to_owned));
            let read = move |conn: &mut _| {
                objects::rows_between(conn, &after, bound.as_deref(), i64::try_from(PAGE).unwrap_or(i64::MAX))
            };
            let page = self.db.run(Lane::Tasks, QUERY_TIMEOUT, read).await?;
            let full = page.len() == PAGE;
            if let Some(last) = page.last() {
                last.object_key.clone_into(last_key);
            }
            let mut suspects = vec![];
            let mut stored = 0;
            for row in page {
                let object = listed.remove(&row.object_key);
                let Some(size) = row.stored else { continue };
                stored += 1;
                if object.is_none_or(|object| object.size != size) {
                    suspects.push((row, size));
                }
            }
            report(ComparisonStep::Rows(stored));
            self.suspects(suspects, report).await?;
            if !full {
                break;
            }
        }
        if let Some(until) = until.filter(|until| *until > last_key.as_str()) {
            until.clone_into(last_key);
        }
        Ok(listed.into_values().collect())
    }

    /// Checks the objects of rows that seem to differ, and reports the rows whose object is missing or has another size.
    async fn suspects(
        &self,
        rows: Vec<(ObjectRow, u64)>,
        report: &mut dyn FnMut(ComparisonStep),
    ) -> Result<(), TaskError> {
        let checks = stream::iter(rows.into_iter().map(|(row, size)| self.suspect(row, size)));
        let checked: Vec<_> = checks.buffered(CONCURRENT_CALLS).try_collect().await?;
        let suspects: Vec<Suspect> = checked.into_iter().flatten().collect();
        if suspects.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = suspects.iter().map(|suspect| suspect.row.object_key.clone()).collect();
        let query = move |conn: &mut _| objects::stored_among(conn, &keys);
        let stored = self.db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
        for suspect in suspects {
            if stored.contains(&suspect.row.object_key) {
                report(ComparisonStep::Difference(suspect.into()));
            }
        }
        Ok(())
    }

    /// Checks one object in the store. Returns `None` if it exists with the right size.
    async fn suspect(&self, row: ObjectRow, stored: u64) -> Result<Option<Suspect>, TaskError> {
        let key = ObjectKey::parse(&row.object_key)
            .map_err(|_| DbError::Failed(format!("backup {} has no valid object key", row.id)))?;
        let found = match self.store.head(&key).await {
            Ok(size) if size == stored => return Ok(None),
            Ok(size) => ObjectState::OtherSize(size),
            Err(StoreError::NotFound) => ObjectState::Absent,
            Err(StoreError::Damaged(what)) => ObjectState::NotAnObject(what),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Suspect { row, stored, found }))
    }

    /// Reports the objects that have no row in any state and still exist.
    async fn orphans(
        &self,
        objects: Vec<ObjectInfo>,
        report: &mut dyn FnMut(ComparisonStep),
    ) -> Result<(), TaskError> {
        if objects.is_empty() {
            return Ok(());
        }
        let objects = without_marked(self.store.as_ref(), objects).await?;
        let keys: Vec<_> = objects.iter().map(|object| object.key.to_string()).collect();
        let query = move |conn: &mut _| objects::known_among(conn, &keys);
        let known = self.db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
        let unknown = objects.into_iter().filter(|object| !known.contains(object.key.as_str()));
        let mut checked = stream::iter(unknown.map(|object| if_it_exists(self.store.as_ref(), object)))
            .buffered(CONCURRENT_CALLS);
        while let Some(object) = checked.try_next().await? {
            if let Some(object) = object {
                report(ComparisonStep::Difference(orphan(&object)));
            }
        }
        Ok(())
    }

    /// Reports the unfinished writes that were found at the start, are still there, and belong to no upload.
    async fn leftovers(
        &self,
        found: Vec<Leftover>,
        report: &mut dyn FnMut(ComparisonStep),
    ) -> Result<(), TaskError> {
        let mut left = without_upload(&self.db, found).await?;
        if left.is_empty() {
            return Ok(());
        }
        let still = self.store.find_leftovers().await?;
        left.retain(|left| still.contains(left));
        for leftover in left {
            report(ComparisonStep::Difference(unfinished(leftover)));
        }
        Ok(())
    }
}
