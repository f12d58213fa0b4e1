//! Decides whether objects without a row (orphans) may be deleted on an operator's request. They may not if the database seems
//! to lack rows: with an empty database every object is an orphan, and with an old one every newer object is.
//!
//! Only the store's times are compared. The time in an id comes from a process's clock: after one upload with a wrong clock,
//! all later objects would seem old.

use chrono::{DateTime, Utc};
use thiserror::Error;

/// The facts about the database and the store on which the decision depends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Whether any backup is stored.
    pub any_stored: bool,
    /// The number of objects that have a row.
    pub known: u64,
    /// When the newest object with a row was written, by the store's clock.
    pub newest_known: Option<DateTime<Utc>>,
    /// The number of objects that have no row, of any age.
    pub orphans: u64,
    /// When the newest object without a row was written, by the store's clock.
    pub newest_orphan: Option<DateTime<Utc>>,
    /// The number of objects without a row that belong to a system of the database, but do not occur in its history.
    pub never_seen: u64,
}

/// A reason not to delete the orphans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Objection {
    #[error("the database knows no stored backup at all, and the store has {0} objects")]
    NothingStored(u64),
    #[error("{orphans} objects have no row, and only {known} have one")]
    TooMany { orphans: u64, known: u64 },
    #[error(
        "an object without a row was written at {0}, after the last object that has one: the database may be older than \
         the store"
    )]
    OldDatabase(DateTime<Utc>),
    #[error(
        "{0} objects without a row lie under systems of this database, and its history says nothing of them: the database \
         may have been restored from a dump that is older than they are (or they are left of uploads that failed)"
    )]
    NeverSeen(u64),
}

/// Returns the reason not to delete the orphans, if there is one.
#[must_use]
pub fn objection(evidence: &Evidence) -> Option<Objection> {
    let Evidence { any_stored, known, newest_known, orphans, newest_orphan, never_seen } = *evidence;
    if orphans == 0 {
        return None;
    }
    if !any_stored {
        return Some(Objection::NothingStored(orphans.saturating_add(known)));
    }
    if orphans > known {
        return Some(Objection::TooMany { orphans, known });
    }
    let newer = newest_orphan.filter(|orphan| newest_known.is_none_or(|known| *orphan > known));
    newer.map(Objection::OldDatabase).or((never_seen > 0).then_some(Objection::NeverSeen(never_seen)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_lacks_rows_is_told_from_a_store_that_has_too_much() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let fine = Evidence {
            any_stored: true,
            known: 3,
            newest_known: at(9),
            orphans: 3,
            newest_orphan: at(8),
            never_seen: 0,
        };
        let table = [
            (fine, None),
            (Evidence { newest_orphan: at(9), ..fine }, None),
            (Evidence { any_stored: false, known: 1, ..fine }, Some(Objection::NothingStored(4))),
            (Evidence { known: 2, ..fine }, Some(Objection::TooMany { orphans: 3, known: 2 })),
            (Evidence { newest_orphan: at(10), ..fine }, at(10).map(Objection::OldDatabase)),
            (Evidence { newest_known: None, ..fine }, at(8).map(Objection::OldDatabase)),
            (Evidence { never_seen: 1, ..fine }, Some(Objection::NeverSeen(1))),
            // An orphan whose age the store does not say is never deleted.
            (Evidence { newest_orphan: None, ..fine }, None),
            // Nothing would be deleted.
            (Evidence { orphans: 0, newest_orphan: None, ..fine }, None),
            (Evidence::default(), None),
        ];
        for (evidence, expected) in table {
            assert_eq!(objection(&evidence), expected, "{evidence:?}");
        }
    }
}
