//! Whether objects without a row may be deleted when an operator asks for it: not if it looks as if the database is what
//! lacks something. In front of an empty database every object is an orphan, and in front of an old one every object
//! that is newer.

use thiserror::Error;
use uuid::Uuid;

/// What there is on both sides. Ids are UUIDv7, so they sort by the time at which they were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Whether any backup is stored.
    pub any_stored: bool,
    /// The newest row of a backup, in whatever state.
    pub newest_row: Option<Uuid>,
    /// Objects that have a row.
    pub known: u64,
    /// Objects that have none, of any age.
    pub orphans: u64,
    pub newest_orphan: Option<Uuid>,
}

/// Why the orphans should not be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Objection {
    #[error("the database knows no stored backup at all, and the store has {0} objects")]
    NothingStored(u64),
    #[error("{orphans} objects have no row, and only {known} have one")]
    TooMany { orphans: u64, known: u64 },
    #[error("object {0} is newer than the newest row: the database may be older than the store")]
    OldDatabase(Uuid),
}

/// What speaks against deleting the orphans, if anything.
#[must_use]
pub fn objection(evidence: &Evidence) -> Option<Objection> {
    let Evidence { any_stored, newest_row, known, orphans, newest_orphan } = *evidence;
    if orphans == 0 {
        return None;
    }
    if !any_stored {
        return Some(Objection::NothingStored(orphans.saturating_add(known)));
    }
    if orphans > known {
        return Some(Objection::TooMany { orphans, known });
    }
    newest_orphan.filter(|orphan| newest_row.is_none_or(|row| *orphan > row)).map(Objection::OldDatabase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_miss_something_are_told_from_a_store_that_has_too_much() {
        let id = |time: u128| Uuid::from_u128(time);
        let fine = Evidence {
            any_stored: true,
            newest_row: Some(id(9)),
            known: 3,
            orphans: 3,
            newest_orphan: Some(id(8)),
        };
        let table = [
            (fine, None),
            (Evidence { any_stored: false, known: 1, ..fine }, Some(Objection::NothingStored(4))),
            (Evidence { known: 2, ..fine }, Some(Objection::TooMany { orphans: 3, known: 2 })),
            (Evidence { newest_orphan: Some(id(10)), ..fine }, Some(Objection::OldDatabase(id(10)))),
            // Nothing would be deleted.
            (Evidence { orphans: 0, newest_orphan: None, ..fine }, None),
            (Evidence::default(), None),
        ];
        for (evidence, expected) in table {
            assert_eq!(objection(&evidence), expected, "{evidence:?}");
        }
    }
}
