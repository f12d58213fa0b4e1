//! One transaction for a batch of operations, of one organization or of several.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::{Conn, DbError, organizations};
use super::apply;
use super::change::Decisions;
use super::locked_systems::{self, LockedSystem};
use super::operation::{AccountingPolicy, Operation, OperationOutcome, OrgBatch, RefusedUpload};
use super::org_totals::{self, LockMode, OrgTotals};
use crate::domain::accounting::{StorageLimits, SystemUsage};

/// Runs one organization's operations and gives an outcome for each.
pub fn run(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    share: &OrgBatch,
) -> Result<Vec<OperationOutcome>, DbError> {
    let outcomes = transact(conn, policy, std::slice::from_ref(share), LockMode::Wait)?;
    let gone = || vec![OperationOutcome::Revoked; share.operations.len()];
    Ok(outcomes.into_iter().next().flatten().unwrap_or_else(gone))
}

/// Runs the operations of several organizations. It waits for nobody's rows: `None` for an organization
/// of which somebody else has locked some, or some are gone, which only a batch of its own can tell. If this
/// fails it may be for the sake of one of them.
pub fn run_shared(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    shares: &[OrgBatch],
) -> Result<Vec<Option<Vec<OperationOutcome>>>, DbError> {
    transact(conn, policy, shares, LockMode::SkipLocked)
}

fn transact(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    shares: &[OrgBatch],
    lock_mode: LockMode,
) -> Result<Vec<Option<Vec<OperationOutcome>>>, DbError> {
    let mut decided = false;
    let result = conn.transaction(|conn| {
        let mut batch = Transaction::lock(conn, policy, shares, lock_mode)?;
        let outcomes = shares.iter().map(|share| batch.run(share)).collect::<Result<_, _>>()?;
        batch.finish()?;
        fail_point!("books.written");
        decided = true;
        Ok(outcomes)
    });
    fail_point!("books.committed");
    // All was written: what failed was the COMMIT, and it may have taken place.
    result.map_err(|error| match error {
        DbError::Unavailable(text) | DbError::Failed(text) if decided => DbError::OutcomeUnknown(text),
        error => error,
    })
}

/// A transaction under way, its locks held. How it does each operation is in the files named after them.
///
/// What an operation reads and changes are `books` and `systems`; it is written when all is decided.
pub(super) struct Transaction<'a> {
    conn: &'a mut Conn,
    pub policy: &'a AccountingPolicy,
    lock_mode: LockMode,
    /// The database's, read when all systems were locked.
    pub clock: DateTime<Utc>,
    pub books: Vec<OrgTotals>,
    pub systems: Vec<LockedSystem>,
    pub decisions: Decisions,
    /// Whether there is something to write.
    pub changed: bool,
    events: Vec<Event>,
}

impl<'a> Transaction<'a> {
    fn lock(
        conn: &'a mut Conn,
        policy: &'a AccountingPolicy,
        shares: &[OrgBatch],
        lock_mode: LockMode,
    ) -> Result<Self, DbError> {
        let mut books = org_totals::lock(conn, policy, shares, lock_mode)?;
        // Systems only of organizations that are locked themselves: the order of locks holds for each.
        let found = |share: &&OrgBatch| books.iter().any(|books| books.org_id == share.org.as_str());
        let operations = shares.iter().filter(found).flat_map(|share| &share.operations);
        let ids: Vec<Uuid> = operations.map(Operation::system_id).collect();
        let mut systems = vec![];
        // RefusedUploads alone are about nobody's rows.
        if !ids.is_empty() {
            systems = locked_systems::lock_systems(conn, &books, &ids, lock_mode)?;
            locked_systems::read(conn, &mut systems, lock_mode)?;
        }
        for system in &systems {
            // Each system's row says the same quota of its organization.
            books[system.org].limits.quota =
                organizations::quota_of(system.row.quota_bytes, policy.default_quota);
        }
        let clock = systems.iter().map(|system| system.row.clock).max().unwrap_or_default();
        let (decisions, events) = (Decisions::default(), vec![]);
        Ok(Self { conn, policy, lock_mode, clock, books, systems, decisions, changed: false, events })
    }

    /// `None` if the organization is not there, or is to be left out.
    fn run(&mut self, share: &OrgBatch) -> Result<Option<Vec<OperationOutcome>>, DbError> {
        let Some(org) = self.books.iter().position(|books| books.org_id == share.org.as_str()) else {
            return Ok(None);
        };
        let here = |op: &Operation| self.index_of(op.system_id(), org).is_some();
        if self.lock_mode == LockMode::SkipLocked && !share.operations.iter().all(here) {
            return Ok(None);
        }
        for refusal in &share.refusals {
            self.record_refusal(org, refusal);
        }
        share.operations.iter().map(|op| self.operate(org, op)).collect::<Result<_, _>>().map(Some)
    }

    fn index_of(&self, system: Uuid, org: usize) -> Option<usize> {
        self.systems.iter().position(|other| other.row.id == system && other.org == org)
    }

    fn operate(&mut self, org: usize, operation: &Operation) -> Result<OperationOutcome, DbError> {
        let Some(index) = self.index_of(operation.system_id(), org) else {
            return Ok(OperationOutcome::Revoked);
        };
        // A row is written once in a statement. (The service never asks for both at once.)
        if self.decisions.admitted.iter().any(|(new, _)| new.backup.uuid() == operation.backup()) {
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
    pub(super) fn usage(&self, index: usize) -> SystemUsage {
        let LockedSystem { org, backups, uploads, .. } = &self.systems[index];
        SystemUsage {
            stored_bytes: self.books[*org].stored,
            reserved_bytes: self.books[*org].reserved,
            backups: backups.clone(),
            uploads: uploads.clone(),
            pruned: vec![],
        }
    }

    /// What bounds the system.
    pub(super) fn limits(&self, index: usize) -> StorageLimits {
        self.books[self.systems[index].org].limits
    }

    /// From now on they are so.
    pub(super) fn set_usage(&mut self, index: usize, after: SystemUsage) {
        let system = &mut self.systems[index];
        let books = &mut self.books[system.org];
        (books.stored, books.reserved) = (after.stored_bytes, after.reserved_bytes);
        (system.backups, system.uploads) = (after.backups, after.uploads);
        self.changed = true;
    }

    /// The connection, for what is not among the rows that were read: all that was decided is written by then.
    pub(super) fn flushed_connection(&mut self) -> Result<&mut Conn, DbError> {
        self.write_so_far()?;
        Ok(self.conn)
    }

    /// Writes what was decided and reads the rows as they are then.
    fn write_so_far(&mut self) -> Result<(), DbError> {
        if self.write()? {
            locked_systems::read(self.conn, &mut self.systems, self.lock_mode)?;
        }
        Ok(())
    }

    /// Gives whether there was anything to write: a refusal must not cost a statement.
    fn write(&mut self) -> Result<bool, DbError> {
        if !self.changed {
            return Ok(false);
        }
        let decisions = std::mem::take(&mut self.decisions);
        apply::all(
            self.conn,
            (self.books.as_slice(), self.policy.writer, self.clock),
            &self.systems,
            &decisions,
        )?;
        for system in &mut self.systems {
            (system.changed, system.slides, system.released_slots) = (false, false, 0);
        }
        self.changed = false;
        Ok(true)
    }

    fn record_refusal(&mut self, org: usize, refusal: &RefusedUpload) {
        self.events.push(Event {
            kind: "refused",
            org_id: self.books[org].org_id.clone(),
            system_id: Some(refusal.system_id),
            backup_id: None,
            actor: "service".to_owned(),
            remote_addr: refusal.remote_addr,
            detail: json!({ "reason": refusal.reason }),
        });
    }

    /// An event of a system, written with the transaction.
    pub(super) fn record_event(
        &mut self,
        index: usize,
        kind: &'static str,
        actor: &str,
        backup: Uuid,
        remote_addr: Option<IpAddr>,
        detail: Value,
    ) {
        let system = &self.systems[index];
        self.events.push(Event {
            kind,
            org_id: self.books[system.org].org_id.clone(),
            system_id: Some(system.row.id),
            backup_id: Some(backup),
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
