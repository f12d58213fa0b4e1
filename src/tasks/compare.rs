//! Compares rows and objects, and changes nothing.
//!
//! A store lists its objects in the order of their keys, and the database reads rows in the same order. So the two are
//! merged: one listing of the whole store, and pages of rows. Memory grows with neither. The order only saves work: what
//! looks different because a store lists in another order is asked for once more by its key before it is reported.
//!
//! **Why live traffic causes no differences.** Objects follow rows (`docs/decisions/0009-rows-before-objects.md`), so for
//! each key three periods are nested: that in which its row is `stored` lies within that in which its object exists, and
//! that one within the period in which it has a row in any state. A key is used once, so each of them is one unbroken
//! period. If something is seen in the inner period, then missing in the outer one, then seen in the inner period again, it
//! was missing at a time at which it had to be there. The three looks for each kind of difference:
//!
//! | difference | seen | not seen | still seen |
//! |---|---|---|---|
//! | missing, size | a stored row | its object, by `head` | the row, stored |
//! | orphan | an object, in the listing | a row with its key | the object, by `head` |
//! | leftover | an upload with a key, in the list of the engine | a `receiving` row | the upload |
//!
//! A row or an object that came or went meanwhile fails one of the three looks. Rows in the states `receiving` and
//! `retired` promise nothing about an object, so they cause no difference either way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::TryChunksError;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::TaskError;
use super::leftovers::without_writer;
use crate::db::objects::{self, ObjectRow};
use crate::db::{Db, DbError, Lane};
use crate::domain::object_key::ObjectKey;
use crate::store::{BlobStore, Leftover, ObjectInfo, StoreError};

/// Rows read in one query, and objects taken from the listing at a time.
const PAGE: usize = 1000;
/// Questions to the store at a time.
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A stored backup has no object.
    Missing,
    /// A stored backup's object has another size.
    Size,
    /// An object has no row.
    Orphan,
    /// An unfinished write has left something that is not an object.
    Leftover,
}

impl DifferenceKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Orphan => "orphan",
            Self::Leftover => "leftover",
        }
    }
}

/// One difference between rows and objects.
#[derive(Debug)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// Empty if it is not known.
    pub org_id: String,
    pub subject: String,
    pub problem: String,
    pub object_key: Option<String>,
}

/// What a comparison reports while it runs.
#[derive(Debug)]
pub enum Step {
    /// So many stored rows were looked at.
    Rows(u64),
    /// So many objects were looked at.
    Objects(u64),
    Found(Difference),
}

/// The two sides.
pub struct Comparison {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
}

impl Comparison {
    /// Compares everything, and reports what it finds as it goes.
    ///
    /// # Errors
    /// The database or the store went away: what was reported is true, but not all there is.
    pub async fn run(&self, report: &mut dyn FnMut(Step)) -> Result<(), TaskError> {
        // First of all, so that writes which are being finished or taken back have the most time to end.
        let left = self.store.find_leftovers().await?;
        let listing = self.store.list("").try_chunks(PAGE);
        let mut batches = listing.map_err(|TryChunksError(_, error)| TaskError::from(error));
        let mut reached = String::new();
        while let Some(objects) = batches.try_next().await? {
            let until = objects.iter().map(|object| object.key.as_str()).max().unwrap_or_default().to_owned();
            report(Step::Objects(objects.len() as u64));
            let without_row = self.rows(&mut reached, Some(&until), objects, report).await?;
            self.orphans(without_row, report).await?;
        }
        self.rows(&mut reached, None, vec![], report).await?;
        self.leftovers(left, report).await
    }

    /// Reads the rows after the key `reached` up to the key `until`, reports those whose object is missing or has another
    /// size, and returns the objects that none of them belongs to. `objects` were listed before, so each that has a row
    /// finds it here.
    async fn rows(
        &self,
        reached: &mut String,
        until: Option<&str>,
        objects: Vec<ObjectInfo>,
        report: &mut dyn FnMut(Step),
    ) -> Result<Vec<ObjectInfo>, TaskError> {
        let mut listed: BTreeMap<String, ObjectInfo> =
            objects.into_iter().map(|object| (object.key.to_string(), object)).collect();
        loop {
            let (after, bound) = (reached.clone(), until.map(str::to_owned));
            let read = move |conn: &mut _| {
                objects::rows_between(conn, &after, bound.as_deref(), i64::try_from(PAGE).unwrap_or(i64::MAX))
            };
            let page = self.db.run(Lane::Reads, PATIENCE, read).await?;
            let full = page.len() == PAGE;
            if let Some(last) = page.last() {
                last.object_key.clone_into(reached);
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
            report(Step::Rows(stored));
            self.suspects(suspects, report).await?;
            if !full {
                break;
            }
        }
        if let Some(until) = until.filter(|until| *until > reached.as_str()) {
            until.clone_into(reached);
        }
        Ok(listed.into_values().collect())
    }

    /// Reports those of the stored rows whose object is missing or has another size than the row says.
    async fn suspects(
        &self,
        rows: Vec<(ObjectRow, u64)>,
        report: &mut dyn FnMut(Step),
    ) -> Result<(), TaskError> {
        let looked = stream::iter(rows.into_iter().map(|(row, size)| self.suspect(row, size)));
        let looked: Vec<_> = looked.buffered(AT_ONCE).try_collect().await?;
        let suspects: Vec<Suspect> = looked.into_iter().flatten().collect();
        if suspects.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = suspects.iter().map(|suspect| suspect.row.object_key.clone()).collect();
        let ask = move |conn: &mut _| objects::stored_among(conn, &keys);
        let stored = self.db.run(Lane::Reads, PATIENCE, ask).await?;
        for suspect in suspects {
            if stored.contains(&suspect.row.object_key) {
                report(Step::Found(suspect.into()));
            }
        }
        Ok(())
    }

    /// Asks the store for one object; `None` if it is as it should be.
    async fn suspect(&self, row: ObjectRow, stored: u64) -> Result<Option<Suspect>, TaskError> {
        let key = ObjectKey::parse(&row.object_key)
            .map_err(|_| DbError::Failed(format!("backup {} has no valid object key", row.id)))?;
        let found = match self.store.head(&key).await {
            Ok(size) if size == stored => return Ok(None),
            Ok(size) => Found::Size(size),
            Err(StoreError::NotFound) => Found::Nothing,
            Err(StoreError::Damaged(what)) => Found::Other(what),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Suspect { row, stored, found }))
    }

    /// Reports those of the objects that have no row in any state and still exist.
    async fn orphans(&self, objects: Vec<ObjectInfo>, report: &mut dyn FnMut(Step)) -> Result<(), TaskError> {
        if objects.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = objects.iter().map(|object| object.key.to_string()).collect();
        let ask = move |conn: &mut _| objects::known_among(conn, &keys);
        let known = self.db.run(Lane::Reads, PATIENCE, ask).await?;
        let unknown = objects.into_iter().filter(|object| !known.contains(object.key.as_str()));
        let mut there = stream::iter(unknown.map(|object| self.if_there(object))).buffered(AT_ONCE);
        while let Some(object) = there.try_next().await? {
            if let Some(object) = object {
                report(Step::Found(orphan(&object)));
            }
        }
        Ok(())
    }

    /// The object, if it still exists.
    async fn if_there(&self, object: ObjectInfo) -> Result<Option<ObjectInfo>, StoreError> {
        match self.store.head(&object.key).await {
            Ok(_) => Ok(Some(object)),
            Err(StoreError::NotFound | StoreError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether what was unfinished at the start still is, without anybody at it.
    async fn leftovers(&self, found: Vec<Leftover>, report: &mut dyn FnMut(Step)) -> Result<(), TaskError> {
        let mut left = without_writer(&self.db, found).await?;
        if left.is_empty() {
            return Ok(());
        }
        let still = self.store.find_leftovers().await?;
        left.retain(|left| still.contains(left));
        for leftover in left {
            report(Step::Found(unfinished(leftover)));
        }
        Ok(())
    }
}

/// A stored row whose object looked wrong at first.
struct Suspect {
    row: ObjectRow,
    /// The size that the row says, in bytes.
    stored: u64,
    found: Found,
}

/// What lies under the key of a stored row.
enum Found {
    Nothing,
    /// An object with another size, in bytes.
    Size(u64),
    /// What is no object, and what it is.
    Other(String),
}

impl From<Suspect> for Difference {
    fn from(Suspect { row, stored, found }: Suspect) -> Self {
        let (kind, problem) = match found {
            Found::Nothing => (DifferenceKind::Missing, format!("its object {} is missing", row.object_key)),
            Found::Other(what) => {
                (DifferenceKind::Missing, format!("its object {} is missing: {what}", row.object_key))
            }
            Found::Size(size) => (
                DifferenceKind::Size,
                format!("its object {} has {size} bytes; it had {stored} when stored", row.object_key),
            ),
        };
        let subject = format!("backup {}", row.id);
        Self { kind, org_id: row.org_id, subject, problem, object_key: Some(row.object_key) }
    }
}

fn orphan(object: &ObjectInfo) -> Difference {
    Difference {
        kind: DifferenceKind::Orphan,
        org_id: object.key.org().to_owned(),
        subject: format!("object {}", object.key),
        problem: format!("it has {} bytes and no row", object.size),
        object_key: Some(object.key.to_string()),
    }
}

fn unfinished(leftover: Leftover) -> Difference {
    let Leftover { key, id } = leftover;
    let of = key.as_ref().map_or_else(String::new, |key| format!(" of {key}"));
    Difference {
        kind: DifferenceKind::Leftover,
        org_id: key.as_ref().map_or_else(String::new, |key| key.org().to_owned()),
        subject: format!("unfinished write {id}"),
        problem: format!("what was written so far{of} is left, and nobody is at it"),
        object_key: key.map(|key| key.to_string()),
    }
}
