//! Is the server as the model says?

use std::collections::BTreeSet;
use std::time::Instant;

use crate::books::{Books, State};
use crate::harness::{PATIENCE, eventually};
use crate::model_fixture::ModelFixture;

impl ModelFixture {
    /// The totals of every organization, and how many uploads each system has under way.
    fn totals(books: &Books, orgs: &[String]) -> Vec<String> {
        let org = |(index, org)| format!("{org} {} {}", books.stored(index), books.reserved(index));
        let mut totals: Vec<_> = orgs.iter().enumerate().map(org).collect();
        let open = books.systems.iter().map(|system| system.open.len()).sum::<usize>();
        totals.push(format!("open {open}"));
        totals
    }

    fn real_totals(&self) -> Vec<String> {
        self.server.db.all(
            "SELECT line FROM (SELECT 1, org_id, concat_ws(' ', org_id, stored_bytes, reserved_bytes) FROM org_usage
             UNION ALL SELECT 2, '', 'open ' || count(*) FROM backups WHERE state = 'receiving') AS x (n, org, line)
             ORDER BY n, org",
        )
    }

    /// Ids, sizes and hashes of a system's backups, newest first.
    fn list(&self, books: &Books, system: usize) -> Vec<String> {
        let line = |tag: &u64| {
            self.known.get(tag).map_or_else(|| "unknown".to_owned(), crate::model_fixture::Known::line)
        };
        books.systems[system].stored.iter().rev().map(|backup| line(&backup.tag)).collect()
    }

    fn real_list(&self, system: usize) -> Vec<String> {
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let line = |b: &serde_json::Value| format!("{} {} {}", text(&b["id"]), b["size"], text(&b["sha256"]));
        self.server.list(&self.systems[system]).iter().map(line).collect()
    }

    fn active(&self) -> impl Iterator<Item = usize> {
        (0..self.systems.len()).filter(|system| self.state(*system) == State::Active)
    }

    /// Whether these are the real books and lists, now.
    pub fn is_so(&self, books: &Books) -> bool {
        Self::totals(books, &self.orgs) == self.real_totals()
            && self.active().all(|system| self.list(books, system) == self.real_list(system))
    }

    /// Broken connections are noticed and objects purged a moment later; everything else is so at once.
    pub fn check(&mut self) {
        let expected = Self::totals(&self.books, &self.orgs);
        if !eventually(PATIENCE, || self.real_totals() == expected) {
            assert_eq!(self.real_totals(), expected, "books: {:#?}", self.books);
        }
        // Who was refused in this step was so by now, and not when it was foreseen.
        let now = Instant::now();
        self.refused.values_mut().filter(|at| **at >= self.began).for_each(|at| *at = now);
        for system in self.active() {
            assert_eq!(self.real_list(system), self.list(&self.books, system), "system {system}");
        }
        let key = |(system, tag): (usize, u64)| {
            let (of, id) = (&self.systems[system], &self.known[&tag].id);
            format!("{}/{}/{id}", of.org, of.key)
        };
        let stored: Vec<_> = (0..self.systems.len())
            .flat_map(|system| {
                self.books.systems[system].stored.iter().map(move |backup| (system, backup.tag))
            })
            .collect();
        let objects: BTreeSet<String> = stored.iter().copied().map(key).collect();
        if !eventually(PATIENCE, || self.server.objects() == objects) {
            assert_eq!(self.server.objects(), objects, "objects");
        }
        self.download(&stored);
    }

    /// One of them, at random.
    fn download(&mut self, stored: &[(usize, u64)]) {
        if stored.is_empty() {
            return;
        }
        let (system, tag) = stored[self.random.below(stored.len())];
        if self.state(system) == State::Active {
            let known = &self.known[&tag];
            let answer = self.server.fetch(&self.systems[system], &known.id).send().status(200);
            assert!(answer.body == known.body, "other bytes than were sent: {}", known.id);
        }
    }
}
