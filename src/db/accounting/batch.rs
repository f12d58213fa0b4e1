//! One transaction for a batch of operations of one organization.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::{Conn, DbError, from_bigint, organizations};
use super::apply;
use super::change::Facts;
use super::ledger::{self, System};
use super::operation::{Operation, Outcome, Policy, Refusal};
use crate::domain::accounting::{Ledger, Limits};
use crate::domain::ids::OrgId;

/// Runs the operations in their order and gives an outcome for each. `refusals` are written along.
pub fn run(
    conn: &mut Conn,
    policy: &Policy,
    org: &OrgId,
    operations: &[Operation],
    refusals: &[Refusal],
) -> Result<Vec<Outcome>, DbError> {
    let mut decided = false;
    let result = conn.transaction(|conn| {
        let Some(totals) = organizations::lock(conn, org.as_str())? else {
            return Ok(vec![Outcome::Revoked; operations.len()]);
        };
        let ids: Vec<Uuid> = operations.iter().map(Operation::system_id).collect();
        let mut systems = vec![];
        // Refusals alone are about nobody's rows.
        if !ids.is_empty() {
            systems = ledger::lock_systems(conn, org.as_str(), &ids)?;
            ledger::read(conn, &mut systems)?;
        }
        let mut batch = Batch::new(conn, policy, Books::new(org, totals), systems);
        for refusal in refusals {
            batch.note_refusal(refusal);
        }
        let outcomes = operations.iter().map(|op| batch.operate(op)).collect::<Result<_, _>>()?;
        batch.finish()?;
        fail_point!("books.written");
        decided = true;
        Ok(outcomes)
    });
    fail_point!("books.committed");
    // All was written: what failed was the COMMIT, and it may have taken place.
    result.map_err(|error| match error {
        DbError::Unavailable(text) | DbError::Failed(text) if decided => DbError::Unsure(text),
        error => error,
    })
}

/// The organization's totals while its row is locked.
pub(super) struct Books {
    pub org_id: String,
    pub stored: u64,
    pub reserved: u64,
}

impl Books {
    fn new(org: &OrgId, (stored, reserved): (i64, i64)) -> Self {
        let (stored, reserved) = (from_bigint(stored), from_bigint(reserved));
        Self { org_id: org.as_str().to_owned(), stored, reserved }
    }
}

/// A transaction under way, its locks held. How it does each operation is in the files named after them.
///
/// What an operation reads and changes are `books` and `systems`; it is written when all is decided.
pub(super) struct Batch<'a> {
    conn: &'a mut Conn,
    pub policy: &'a Policy,
    pub limits: Limits,
    /// The database's, read when all systems were locked.
    pub clock: DateTime<Utc>,
    pub books: Books,
    pub systems: Vec<System>,
    pub facts: Facts,
    /// Whether there is something to write.
    pub changed: bool,
    events: Vec<Event>,
}

impl<'a> Batch<'a> {
    fn new(conn: &'a mut Conn, policy: &'a Policy, books: Books, systems: Vec<System>) -> Self {
        // Each system's row says the same quota, and the clock of when it was locked.
        let quota = systems.first().and_then(|system| system.row.quota_bytes);
        let quota = organizations::quota_of(quota, policy.default_quota);
        let clock = systems.iter().map(|system| system.row.clock).max().unwrap_or_default();
        let limits = Limits { retention: policy.retention, quota };
        let facts = Facts::default();
        Self { conn, policy, limits, clock, books, systems, facts, changed: false, events: vec![] }
    }

    fn operate(&mut self, operation: &Operation) -> Result<Outcome, DbError> {
        let id = operation.system_id();
        let Some(index) = self.systems.iter().position(|system| system.row.id == id) else {
            return Ok(Outcome::Revoked);
        };
        // A row is written once in a statement. (The service never asks for both at once.)
        if self.facts.admitted.iter().any(|(new, _)| new.backup.uuid() == operation.backup()) {
            self.write_so_far()?;
        }
        match operation {
            Operation::Admit(op) => self.admit(index, op),
            Operation::Grow(op) => Ok(self.grow(index, op)),
            Operation::Commit(op) => self.commit(index, op),
            Operation::Abort(op) => self.abort(index, op),
            Operation::Delete(op) => self.delete(index, op),
        }
    }

    /// The system's rows and the organization's totals, as they are now.
    pub(super) fn ledger(&self, index: usize) -> Ledger {
        let System { backups, uploads, .. } = &self.systems[index];
        Ledger {
            stored_bytes: self.books.stored,
            reserved_bytes: self.books.reserved,
            backups: backups.clone(),
            uploads: uploads.clone(),
            pruned: vec![],
        }
    }

    /// From now on they are so.
    pub(super) fn settle(&mut self, index: usize, after: Ledger) {
        (self.books.stored, self.books.reserved) = (after.stored_bytes, after.reserved_bytes);
        (self.systems[index].backups, self.systems[index].uploads) = (after.backups, after.uploads);
        self.changed = true;
    }

    /// The connection, for what is not among the rows that were read: all that was decided is written by then.
    pub(super) fn look(&mut self) -> Result<&mut Conn, DbError> {
        self.write_so_far()?;
        Ok(self.conn)
    }

    /// Writes what was decided and reads the rows as they are then.
    fn write_so_far(&mut self) -> Result<(), DbError> {
        if self.write()? {
            ledger::read(self.conn, &mut self.systems)?;
        }
        Ok(())
    }

    /// Gives whether there was anything to write: a refusal must not cost a statement.
    fn write(&mut self) -> Result<bool, DbError> {
        if !self.changed {
            return Ok(false);
        }
        let facts = std::mem::take(&mut self.facts);
        apply::all(self.conn, (&self.books, self.policy.writer, self.clock), &self.systems, &facts)?;
        for system in &mut self.systems {
            (system.changed, system.slides, system.given_back) = (false, false, 0);
        }
        self.changed = false;
        Ok(true)
    }

    fn note_refusal(&mut self, refusal: &Refusal) {
        let detail = json!({ "reason": refusal.reason });
        self.tell("refused", "service", refusal.system_id, None, refusal.remote_addr, detail);
    }

    /// An event, written with the transaction.
    pub(super) fn tell(
        &mut self,
        kind: &'static str,
        actor: &str,
        system: Uuid,
        backup_id: Option<Uuid>,
        remote_addr: Option<IpAddr>,
        detail: Value,
    ) {
        self.events.push(Event {
            kind,
            org_id: self.books.org_id.clone(),
            system_id: Some(system),
            backup_id,
            actor: actor.to_owned(),
            remote_addr,
            detail,
        });
    }

    fn finish(mut self) -> Result<(), DbError> {
        self.write()?;
        events::write(self.conn, &self.events)
    }
}
