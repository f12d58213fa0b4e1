//! Compares rows and objects, and changes nothing. Memory does not grow with their number: objects are
//! listed and rows are read page by page.
//!
//! **Why live traffic makes no differences.** Of each key three times are nested: the time that its row
//! is `stored` lies within the time that the object is there, and that within the time that there is a row
//! in any state (ACCOUNTING: objects follow rows). Each is one stretch, because a key is used once. So
//! whatever is seen on the inner side, then missing on the outer, then seen on the inner side again was missing
//! while it had to be there. Seen in the order of each kind of difference:
//!
//! | difference | seen | not seen | still seen |
//! |---|---|---|---|
//! | missing, size | a stored row | its object, in the listing and by `head` | the row, stored |
//! | orphan | an object, in the listing | a row with its key | the object, by `head` |
//! | leftover | an upload with a key, in the list of the engine | a `receiving` row | the upload |
//!
//! A row or an object that came or went meanwhile fails one of the three looks. `receiving` and `retired` rows
//! promise nothing about an object, so that they make no difference either way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::JobError;
use super::orphans::look_up;
use crate::db::objects::{self, Cursor, StoredObject};
use crate::db::{Db, Lane, backups};
use crate::store::{BlobStore, Leftover, ObjectInfo, StoreError};

/// Rows read in one query.
const PAGE: i64 = 1000;
/// Questions to the store at a time.
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stored backup has none.
    Missing,
    /// A stored backup's has another size.
    Size,
    /// It has no row.
    Orphan,
    /// It is no object: what an unfinished write has left.
    Leftover,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Orphan => "orphan",
            Self::Leftover => "leftover",
        }
    }
}

#[derive(Debug)]
pub struct Difference {
    pub kind: Kind,
    /// Empty if it is not known.
    pub org_id: String,
    pub subject: String,
    pub problem: String,
    pub object_key: Option<String>,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Step {
    /// So many stored rows were looked at.
    Rows(u64),
    /// So many objects were looked at.
    Objects(u64),
    Found(Difference),
}

pub struct Comparison {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
}

impl Comparison {
    /// Compares everything, and tells what it finds.
    pub async fn run(&self, tell: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        // First of all, so that what is being finished or taken back has had the most time for it.
        let left = self.store.find_leftovers().await?;
        self.rows(tell).await?;
        self.objects(tell).await?;
        self.leftovers(left, tell).await
    }

    /// Whether each stored row has its object.
    async fn rows(&self, tell: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        let mut after = Cursor::START;
        loop {
            let read = move |conn: &mut _| objects::stored_after(conn, after, PAGE);
            let page = self.db.run(Lane::Reads, PATIENCE, read).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            // A system's rows follow each other: one list shows the objects of all of them.
            let systems = page.chunk_by(|a, b| a.key.prefix() == b.key.prefix());
            let suspects = stream::iter(systems.map(|rows| self.suspects(rows))).buffer_unordered(AT_ONCE);
            let mut suspects: Vec<_> =
                suspects.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
            suspects.sort_by_key(|(row, _)| row.cursor());
            let keys: Vec<_> = suspects.iter().map(|(row, _)| row.key.to_string()).collect();
            let ask = move |conn: &mut _| objects::stored_among(conn, &keys);
            let stored = self.db.run(Lane::Reads, PATIENCE, ask).await?;
            tell(Step::Rows(page.len() as u64));
            for (row, size) in suspects {
                if stored.contains(row.key.as_str()) {
                    tell(Step::Found(lacking(row, size)));
                }
            }
        }
    }

    /// Those of a system's rows whose objects are not there (`None`) or have another size.
    async fn suspects(&self, rows: &[StoredObject]) -> Result<Vec<(StoredObject, Option<u64>)>, StoreError> {
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
                Ok(size) => suspects.push((row.clone(), Some(size))),
                Err(StoreError::NotFound) => suspects.push((row.clone(), None)),
                Err(error) => return Err(error),
            }
        }
        Ok(suspects)
    }

    /// Whether each object has a row.
    async fn objects(&self, tell: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        let mut looked = std::pin::pin!(look_up(self.db.clone(), self.store.as_ref()));
        while let Some(part) = looked.try_next().await? {
            tell(Step::Objects(part.count()));
            let there = stream::iter(part.unknown.into_iter().map(|object| self.if_there(object)));
            let mut there = there.buffer_unordered(AT_ONCE);
            while let Some(object) = there.try_next().await? {
                if let Some(object) = object {
                    tell(Step::Found(orphan(&object)));
                }
            }
        }
        Ok(())
    }

    async fn if_there(&self, object: ObjectInfo) -> Result<Option<ObjectInfo>, StoreError> {
        match self.store.head(&object.key).await {
            Ok(_) => Ok(Some(object)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether what was not finished before is still not, and nobody is at it.
    async fn leftovers(&self, mut left: Vec<Leftover>, tell: &mut dyn FnMut(Step)) -> Result<(), JobError> {
        let keys: Vec<_> =
            left.iter().filter_map(|left| left.key.as_ref().map(ToString::to_string)).collect();
        let ask = move |conn: &mut _| backups::receiving_among(conn, &keys);
        let alive = self.db.run(Lane::Reads, PATIENCE, ask).await?;
        left.retain(|left| left.key.as_ref().is_none_or(|key| !alive.contains(key.as_str())));
        if left.is_empty() {
            return Ok(());
        }
        let still = self.store.find_leftovers().await?;
        left.retain(|left| still.contains(left));
        for leftover in left {
            tell(Step::Found(unfinished(leftover)));
        }
        Ok(())
    }
}

fn lacking(row: StoredObject, size: Option<u64>) -> Difference {
    let (kind, problem) = match size {
        None => (Kind::Missing, format!("its object {} is missing", row.key)),
        Some(size) => {
            (Kind::Size, format!("its object {} has {size} bytes; it had {} when stored", row.key, row.size))
        }
    };
    let subject = format!("backup {}", row.id);
    Difference { kind, org_id: row.org_id, subject, problem, object_key: Some(row.key.to_string()) }
}

fn orphan(object: &ObjectInfo) -> Difference {
    Difference {
        kind: Kind::Orphan,
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
        kind: Kind::Leftover,
        org_id: key.as_ref().map_or_else(String::new, |key| key.org().to_owned()),
        subject: format!("unfinished write {id}"),
        problem: format!("what was written so far{of} is left, and nobody is at it"),
        object_key: key.map(|key| key.to_string()),
    }
}
