//! What an upload left behind: rows, books, objects, temporary files, slots of the rate limit.

use std::collections::BTreeSet;

use super::{Server, System, TIMEOUT, eventually};

/// Everything that a refused or broken upload must leave as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    objects: BTreeSet<String>,
    temporary: BTreeSet<String>,
    receiving: i64,
    stored: Vec<String>,
    books: Vec<String>,
}

impl Server {
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            objects: self.objects(),
            temporary: self.temporary(),
            receiving: self.db.number("SELECT count(*) FROM backups WHERE state = 'receiving'"),
            stored: self.db.all("SELECT id FROM backups WHERE state = 'stored' ORDER BY id"),
            books: self.db.all("SELECT u::text FROM org_usage u ORDER BY org_id"),
        }
    }

    /// No object, no temporary file, no row and no byte in the totals more than before. Soon: where no test has shortened
    /// that, what looks for them of its own accord does so after a minute, or an hour. Tombstones (`retired`, `failed`) may stay.
    #[track_caller]
    pub fn assert_nothing_left(&self, before: &Snapshot) {
        if !eventually(TIMEOUT, || &self.snapshot() == before) {
            assert_eq!(&self.snapshot(), before, "something was left behind");
        }
    }

    /// Uploads of the system that the rate limit counts.
    pub fn slots_used(&self, system: &System) -> i64 {
        self.db
            .number(&format!("SELECT cardinality(recent_admissions) FROM systems WHERE id = '{}'", system.id))
    }

    /// The most telling check of a refusal: nothing is left, and it cost this many slots.
    #[track_caller]
    pub fn assert_refused(&self, before: &Snapshot, system: &System, slots: i64) {
        self.assert_nothing_left(before);
        assert_eq!(self.slots_used(system), slots, "slots of the rate limit");
    }

    /// `stored_bytes` and `reserved_bytes` of the organization.
    pub fn totals(&self, org: &str) -> (i64, i64) {
        let column =
            |name: &str| self.db.number(&format!("SELECT {name} FROM org_usage WHERE org_id = '{org}'"));
        (column("stored_bytes"), column("reserved_bytes"))
    }

    pub fn receiving(&self) -> i64 {
        self.db.number("SELECT count(*) FROM backups WHERE state = 'receiving'")
    }

    /// Events of a kind; with `reason`, only those.
    pub fn events(&self, kind: &str) -> i64 {
        self.db.number(&format!("SELECT count(*) FROM backup_events WHERE kind = '{kind}'"))
    }

    /// `object_key` of a backup that the API called `id`.
    pub fn object_key(&self, id: &str) -> String {
        let uuid = id.split('.').next().unwrap_or_default();
        self.db.one(&format!("SELECT object_key FROM backups WHERE id = '{uuid}'"))
    }
}
