//! One transaction for a batch of operations of one organization.

use std::net::IpAddr;

use diesel::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::{Conn, DbError};
use super::apply;
use super::ledger::{self, Books, SystemRow};
use super::operation::{Operation, Outcome, Policy, Refusal};
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
        let Some(books) = ledger::lock_org(conn, org.as_str(), policy)? else {
            return Ok(vec![Outcome::Revoked; operations.len()]);
        };
        let ids: Vec<Uuid> = operations.iter().map(Operation::system_id).collect();
        let systems = ledger::lock_systems(conn, org.as_str(), &ids)?;
        let before = (books.stored, books.reserved);
        let mut batch = Batch { conn, policy, books, before, systems, events: vec![] };
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

/// A transaction under way, its locks held. How it does each operation is in the files named after them.
pub(super) struct Batch<'a> {
    pub conn: &'a mut Conn,
    pub policy: &'a Policy,
    pub books: Books,
    /// Stored and reserved bytes as they were read.
    before: (u64, u64),
    pub systems: Vec<SystemRow>,
    events: Vec<Event>,
}

impl Batch<'_> {
    fn operate(&mut self, operation: &Operation) -> Result<Outcome, DbError> {
        let id = operation.system_id();
        let Some(index) = self.systems.iter().position(|system| system.id == id) else {
            return Ok(Outcome::Revoked);
        };
        match operation {
            Operation::Admit(op) => self.admit(index, op),
            Operation::Grow(op) => self.grow(index, op),
            Operation::Commit(op) => self.commit(index, op),
            Operation::Abort(op) => self.abort(index, op),
            Operation::Delete(op) => self.delete(op),
        }
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

    fn finish(self) -> Result<(), DbError> {
        // A refusal changes nothing, and must not cost a write.
        if (self.books.stored, self.books.reserved) != self.before {
            apply::books(self.conn, &self.books)?;
        }
        events::write(self.conn, &self.events)
    }
}
