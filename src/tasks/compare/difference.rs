//! The differences that a comparison finds.

use crate::db::objects::ObjectRow;
use crate::store::{Leftover, ObjectInfo};

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A stored backup has no object.
    Missing,
    /// A stored backup's object has another size.
    Size,
    /// An object has no row.
    Orphan,
    /// The data of an unfinished write belongs to no upload.
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
    /// The organization; empty if it is not known.
    pub org_id: String,
    pub subject: String,
    pub problem: String,
    pub object_key: Option<String>,
}

/// A stored row whose object was missing or had another size in the listing.
pub(super) struct Suspect {
    pub row: ObjectRow,
    /// The size in the row, in bytes.
    pub stored: u64,
    pub found: ObjectState,
}

/// The state of the object of a stored row.
pub(super) enum ObjectState {
    Absent,
    /// The object has this other size, in bytes.
    OtherSize(u64),
    /// Something other than an object has the key. The text describes it.
    NotAnObject(String),
}

impl From<Suspect> for Difference {
    fn from(Suspect { row, stored, found }: Suspect) -> Self {
        let (kind, problem) = match found {
            ObjectState::Absent => {
                (DifferenceKind::Missing, format!("its object {} is missing", row.object_key))
            }
            ObjectState::NotAnObject(what) => {
                (DifferenceKind::Missing, format!("its object {} is missing: {what}", row.object_key))
            }
            ObjectState::OtherSize(size) => (
                DifferenceKind::Size,
                format!("its object {} has {size} bytes; it had {stored} when stored", row.object_key),
            ),
        };
        let subject = format!("backup {}", row.id);
        Self { kind, org_id: row.org_id, subject, problem, object_key: Some(row.object_key) }
    }
}

pub(super) fn orphan(object: &ObjectInfo) -> Difference {
    Difference {
        kind: DifferenceKind::Orphan,
        org_id: object.key.org().to_owned(),
        subject: format!("object {}", object.key),
        problem: format!("it has {} bytes and no row", object.size),
        object_key: Some(object.key.to_string()),
    }
}

pub(super) fn unfinished(leftover: Leftover) -> Difference {
    let Leftover { key, id } = leftover;
    let of = key.as_ref().map_or_else(String::new, |key| format!(" of {key}"));
    Difference {
        kind: DifferenceKind::Leftover,
        org_id: key.as_ref().map_or_else(String::new, |key| key.org().to_owned()),
        subject: format!("unfinished write {id}"),
        problem: format!("an unfinished write{of} that no process is continuing; the next sweep removes it"),
        object_key: key.map(|key| key.to_string()),
    }
}
