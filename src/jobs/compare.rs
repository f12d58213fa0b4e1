//! Compares rows and objects, and changes nothing. Memory does not grow with their number: objects are listed, and rows
//! are read, page by page.
//!
//! **Why live traffic causes no differences.** Objects follow rows (`docs/decisions/0009-rows-before-objects.md`), so for
//! each key three periods are nested: that in which its row is `stored` lies within that in which its object exists, and
//! that one within the period in which it has a row in any state. A key is used once, so each of them is one unbroken
//! period. If something is seen in the inner period, then missing in the outer one, then seen in the inner period again, it
//! was missing at a time at which it had to be there. The three looks for each kind of difference:
//!
//! | difference | seen | not seen | still seen |
//! |---|---|---|---|
//! | missing, size | a stored row | its object, in the listing and by `head` | the row, stored |
//! | orphan | an object, in the listing | a row with its key | the object, by `head` |
//! | leftover | an upload with a key, in the list of the engine | a `receiving` row | the upload |
//!
//! A row or an object that came or went meanwhile fails one of the three looks. Rows in the states `receiving` and
//! `retired` promise nothing about an object, so they cause no difference either way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::JobError;
use super::leftovers::without_writer;
use super::orphans::look_up;
use crate::db::objects::{self, Cursor, StoredObject};
use crate::db::{Db, Lane};
use crate::store::{BlobStore, Leftover, ObjectInfo, StoreError};

/// Rows read in one query.
const PAGE: i64 = 1000;
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
    pub async fn run(&self, report: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        // First of all, so that writes which are being finished or taken back have the most time to end.
        let left = self.store.find_leftovers().await?;
        self.rows(report).await?;
        self.objects(report).await?;
        self.leftovers(left, report).await
    }

    /// Whether each stored row has its object.
    async fn rows(&self, report: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        let mut after = Cursor::START;
        loop {
            let read = move |conn: &mut _| objects::stored_after(conn, after, PAGE);
            let page = self.db.run(Lane::Reads, PATIENCE, read).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            // A system's rows are neighbours: one listing shows the objects of all of them.
            let systems = page.chunk_by(|a, b| a.key.prefix() == b.key.prefix());
            let suspects = stream::iter(systems.map(|rows| self.suspects(rows))).buffer_unordered(AT_ONCE);
            let mut suspects: Vec<_> =
                suspects.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
            suspects.sort_by_key(|suspect| suspect.row.cursor());
            let keys: Vec<_> = suspects.iter().map(|suspect| suspect.row.key.to_string()).collect();
            let ask = move |conn: &mut _| objects::stored_among(conn, &keys);
            let stored = self.db.run(Lane::Reads, PATIENCE, ask).await?;
            report(Step::Rows(page.len() as u64));
            for suspect in suspects {
                if stored.contains(suspect.row.key.as_str()) {
                    report(Step::Found(suspect.into()));
                }
            }
        }
    }

    /// Those of a system's rows whose objects are missing or have another size.
    async fn suspects(&self, rows: &[StoredObject]) -> Result<Vec<Suspect>, StoreError> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let mut left: HashMap<_, _> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
        let mut listing = self.store.list(first.key.prefix());
        while let Some(object) = listing.try_next().await? {
            if left.get(object.key.as_str()).is_some_and(|row| row.size == object.size) {
                left.remove(object.key.as_str());
            }
        }
        let mut suspects = Vec::new();
        for row in left.into_values() {
            match self.store.head(&row.key).await {
                Ok(size) if size == row.size => {}
                Ok(size) => suspects.push(Suspect { row: row.clone(), found: Found::Size(size) }),
                Err(StoreError::NotFound) => {
                    suspects.push(Suspect { row: row.clone(), found: Found::Nothing });
                }
                Err(StoreError::Damaged(what)) => {
                    suspects.push(Suspect { row: row.clone(), found: Found::Other(what) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(suspects)
    }

    /// Whether each object has a row.
    async fn objects(&self, report: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        let mut looked = std::pin::pin!(look_up(self.db.clone(), self.store.as_ref()));
        while let Some(part) = looked.try_next().await? {
            report(Step::Objects(part.count()));
            let there = stream::iter(part.unknown.into_iter().map(|object| self.if_there(object)));
            let mut there = there.buffer_unordered(AT_ONCE);
            while let Some(object) = there.try_next().await? {
                if let Some(object) = object {
                    report(Step::Found(orphan(&object)));
                }
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
    async fn leftovers(&self, found: Vec<Leftover>, report: &mut dyn FnMut(Step)) -> Result<(), JobError> {
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
    row: StoredObject,
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
    fn from(Suspect { row, found }: Suspect) -> Self {
        let (kind, problem) = match found {
            Found::Nothing => (DifferenceKind::Missing, format!("its object {} is missing", row.key)),
            Found::Other(what) => {
                (DifferenceKind::Missing, format!("its object {} is missing: {what}", row.key))
            }
            Found::Size(size) => (
                DifferenceKind::Size,
                format!("its object {} has {size} bytes; it had {} when stored", row.key, row.size),
            ),
        };
        let subject = format!("backup {}", row.id);
        Self { kind, org_id: row.org_id, subject, problem, object_key: Some(row.key.to_string()) }
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
