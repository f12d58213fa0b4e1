//! Compares the server with the model.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::accounting::{Accounting, Refused, State};
use crate::harness::{TIMEOUT, eventually};
use crate::model_fixture::ModelFixture;

impl ModelFixture {
    /// Returns the totals of every organization, and each system's number of uploads under way.
    fn totals(accounting: &Accounting, orgs: &[String]) -> Vec<String> {
        let org = |(index, org)| format!("{org} {} {}", accounting.stored(index), accounting.reserved(index));
        let mut totals: Vec<_> = orgs.iter().enumerate().map(org).collect();
        let open = accounting.systems.iter().map(|system| system.open.len()).sum::<usize>();
        totals.push(format!("open {open}"));
        totals
    }

    fn server_totals(&self) -> Vec<String> {
        self.server.db.all(
            "SELECT line FROM (SELECT 1, org_id, concat_ws(' ', org_id, stored_bytes, reserved_bytes) FROM org_usage
             UNION ALL SELECT 2, '', 'open ' || count(*) FROM backups WHERE state = 'receiving') AS x (n, org, line)
             ORDER BY n, org",
        )
    }

    /// Returns the facts in the rows of the systems: how many backups, their bytes, the newest, and whether a refusal stands.
    fn facts(&self) -> Vec<String> {
        let facts = |system: usize| {
            let tenant = &self.accounting.systems[system];
            let newest = tenant.stored.last().and_then(|backup| self.uploaded.get(&backup.tag));
            let newest = newest.and_then(|uploaded| uploaded.id.split('.').next()).unwrap_or("none");
            let bytes: u64 = tenant.stored.iter().map(|backup| backup.size).sum();
            let refused = match tenant.refused {
                Refused::No => "not refused",
                Refused::Last(_) => "refused",
                Refused::Unknown(_) => "either",
            };
            format!("{} {bytes} {newest} {refused}", tenant.stored.len())
        };
        self.not_destroyed().map(facts).collect()
    }

    fn server_facts(&self) -> Vec<String> {
        let facts = |system: usize| {
            let columns = "concat_ws(' ', backups_kept, bytes_kept, coalesce(last_backup_id::text, 'none'), \
                 CASE WHEN refused_at IS NULL THEN 'not refused' ELSE 'refused' END)";
            let id = &self.systems[system].id;
            let found = self.server.db.one(&format!("SELECT {columns} FROM systems WHERE id = '{id}'"));
            if matches!(self.accounting.systems[system].refused, Refused::Unknown(_)) {
                return found.replace(" not refused", " either").replace(" refused", " either");
            }
            found
        };
        self.not_destroyed().map(facts).collect()
    }

    fn not_destroyed(&self) -> impl Iterator<Item = usize> {
        (0..self.systems.len()).filter(|system| self.state(*system) != State::Destroyed)
    }

    /// Returns ids, sizes and hashes of a system's backups, newest first.
    fn list(&self, accounting: &Accounting, system: usize) -> Vec<String> {
        let line = |tag: &u64| {
            self.uploaded
                .get(tag)
                .map_or_else(|| "unknown".to_owned(), crate::model_fixture::UploadedBackup::line)
        };
        accounting.systems[system].stored.iter().rev().map(|backup| line(&backup.tag)).collect()
    }

    fn server_list(&self, system: usize) -> Vec<String> {
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let line = |b: &serde_json::Value| format!("{} {} {}", text(&b["id"]), b["size"], text(&b["sha256"]));
        self.server.list(&self.systems[system]).iter().map(line).collect()
    }

    fn active(&self) -> impl Iterator<Item = usize> {
        (0..self.systems.len()).filter(|system| self.state(*system) == State::Active)
    }

    /// Whether the server has this accounting and these lists at this moment.
    pub fn assert_equal(&self, accounting: &Accounting) -> bool {
        Self::totals(accounting, &self.orgs) == self.server_totals()
            && self.active().all(|system| self.list(accounting, system) == self.server_list(system))
    }

    /// The server notices broken connections and purges objects a moment later; everything else must be equal at
    /// once.
    pub fn check(&mut self) {
        let expected = Self::totals(&self.accounting, &self.orgs);
        if !eventually(TIMEOUT, || self.server_totals() == expected) {
            assert_eq!(self.server_totals(), expected, "accounting: {:#?}", self.accounting);
        }
        // The process has remembered this step's refusals at the latest by now, and later than the model noted
        // them.
        let now = Instant::now();
        self.refused.values_mut().filter(|at| **at >= self.began).for_each(|at| *at = now);
        for system in self.active() {
            assert_eq!(self.server_list(system), self.list(&self.accounting, system), "system {system}");
        }
        // Refusals are written with the next transaction, or within a second.
        let facts = self.facts();
        if !eventually(TIMEOUT, || self.server_facts() == facts) {
            assert_eq!(self.server_facts(), facts, "facts in the rows of systems");
        }
        let key = |(system, tag): (usize, u64)| {
            let (of, id) = (&self.systems[system], &self.uploaded[&tag].id);
            format!("{}/{}/{id}", of.org, of.key)
        };
        let stored: Vec<_> = (0..self.systems.len())
            .flat_map(|system| {
                self.accounting.systems[system].stored.iter().map(move |backup| (system, backup.tag))
            })
            .collect();
        let objects: BTreeSet<String> = stored.iter().copied().map(key).collect();
        if !eventually(TIMEOUT, || self.server.objects() == objects) {
            assert_eq!(self.server.objects(), objects, "objects");
        }
        self.download(&stored);
    }

    /// Downloads one of the stored backups, at random.
    fn download(&mut self, stored: &[(usize, u64)]) {
        if stored.is_empty() {
            return;
        }
        let (system, tag) = stored[self.random.below(stored.len())];
        if self.state(system) == State::Active {
            let uploaded = &self.uploaded[&tag];
            let answer = self.server.fetch(&self.systems[system], &uploaded.id).send().status(200);
            assert!(answer.body == uploaded.body, "other bytes than were sent: {}", uploaded.id);
        }
    }
}
