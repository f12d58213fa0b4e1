//! The traces of an upload: rows, totals, objects, temporary files, slots of the rate limit.

use std::collections::BTreeSet;

use super::{Server, System, TIMEOUT, eventually};

/// The state that a refused or broken upload must not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    objects: BTreeSet<String>,
    temporary: BTreeSet<String>,
    receiving: i64,
    stored: Vec<String>,
    totals: Vec<String>,
}

impl Server {
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            objects: self.objects(),
            temporary: self.temporary(),
            receiving: self.db.number("SELECT count(*) FROM backups WHERE state = 'receiving'"),
            stored: self.db.all("SELECT id FROM backups WHERE state = 'stored' ORDER BY id"),
            totals: self.db.all("SELECT u::text FROM org_usage u ORDER BY org_id"),
        }
    }

    /// Checks that there is no object, temporary file, row or counted byte more than before. Waits only briefly:
    /// unless a test shortens their intervals, the background tasks clean up after a minute or an hour.
    /// Tombstones (`retired`, `failed`) may be left.
    #[track_caller]
    pub fn assert_nothing_left(&self, before: &Snapshot) {
        if !eventually(TIMEOUT, || &self.snapshot() == before) {
            assert_eq!(&self.snapshot(), before, "the upload has left something");
        }
        assert!(eventually(TIMEOUT, || self.marks().is_empty()), "marks are left: {:?}", self.marks());
    }

    /// Returns how many uploads of the system the rate limit counts.
    pub fn slots_used(&self, system: &System) -> i64 {
        self.db
            .number(&format!("SELECT cardinality(recent_admissions) FROM systems WHERE id = '{}'", system.id))
    }

    /// Checks a refusal: nothing is left, and it used this many slots.
    #[track_caller]
    pub fn assert_refused(&self, before: &Snapshot, system: &System, slots: i64) {
        self.assert_nothing_left(before);
        assert_eq!(self.slots_used(system), slots, "slots of the rate limit");
    }

    /// Returns `stored_bytes` and `reserved_bytes` of the organization.
    pub fn totals(&self, org: &str) -> (i64, i64) {
        let column =
            |name: &str| self.db.number(&format!("SELECT {name} FROM org_usage WHERE org_id = '{org}'"));
        (column("stored_bytes"), column("reserved_bytes"))
    }

    pub fn receiving(&self) -> i64 {
        self.db.number("SELECT count(*) FROM backups WHERE state = 'receiving'")
    }

    /// Returns the number of events of a kind; with `reason`, only of those with this reason.
    pub fn events(&self, kind: &str) -> i64 {
        self.db.number(&format!("SELECT count(*) FROM backup_events WHERE kind = '{kind}'"))
    }

    /// Returns the `object_key` of a backup, by the `id` that the API returned.
    pub fn object_key(&self, id: &str) -> String {
        let uuid = id.split('.').next().unwrap_or_default();
        self.db.one(&format!("SELECT object_key FROM backups WHERE id = '{uuid}'"))
    }
}
