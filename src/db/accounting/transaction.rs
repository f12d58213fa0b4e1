//! One transaction, with the operations of one organization or of several.

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

/// Runs one organization's operations and returns an outcome for each.
pub fn run(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    batch: &OrgBatch,
) -> Result<Vec<OperationOutcome>, DbError> {
    let outcomes = transact(conn, policy, std::slice::from_ref(batch), LockMode::Wait)?;
    let gone = || vec![OperationOutcome::Revoked; batch.operations.len()];
    Ok(outcomes.into_iter().next().flatten().unwrap_or_else(gone))
}

/// Runs the operations of several organizations, without waiting for locked rows. `None`: the organization was skipped,
/// because another transaction has locked some of its rows, or because some are gone, which only a transaction of its own
/// can find out. Any one of the organizations may be the cause of an error.
pub fn run_shared(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    batches: &[OrgBatch],
) -> Result<Vec<Option<Vec<OperationOutcome>>>, DbError> {
    transact(conn, policy, batches, LockMode::SkipLocked)
}

fn transact(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    batches: &[OrgBatch],
    lock_mode: LockMode,
) -> Result<Vec<Option<Vec<OperationOutcome>>>, DbError> {
    let mut decided = false;
    let result = conn.transaction(|conn| {
        let mut transaction = Transaction::lock(conn, policy, batches, lock_mode)?;
        let outcomes = batches.iter().map(|batch| transaction.run(batch)).collect::<Result<_, _>>()?;
        transaction.finish()?;
        fail_point!("accounting.written");
        decided = true;
        Ok(outcomes)
    });
    fail_point!("accounting.committed");
    // Everything was written, so the COMMIT failed, and it may have taken place.
    result.map_err(|error| match error {
        DbError::Unavailable(text) | DbError::Failed(text) if decided => DbError::OutcomeUnknown(text),
        error => error,
    })
}

/// A transaction under way, its locks held. The files named after the operations run them.
///
/// Operations read and change `totals` and `systems`; what differs is written when all operations are decided.
pub(super) struct Transaction<'a> {
    conn: &'a mut Conn,
    pub policy: &'a AccountingPolicy,
    lock_mode: LockMode,
    /// The database's clock, read when all systems were locked.
    pub clock: DateTime<Utc>,
    pub totals: Vec<OrgTotals>,
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
        batches: &[OrgBatch],
        lock_mode: LockMode,
    ) -> Result<Self, DbError> {
        let mut totals = org_totals::lock(conn, policy, batches, lock_mode)?;
        // Only systems of organizations that are locked themselves: so the order of locks is kept.
        let found = |batch: &&OrgBatch| totals.iter().any(|totals| totals.org_id == batch.org.as_str());
        let operations = batches.iter().filter(found).flat_map(|batch| &batch.operations);
        let ids: Vec<Uuid> = operations.map(Operation::system_id).collect();
        let mut systems = vec![];
        // A batch of nothing but refused uploads needs no row.
        if !ids.is_empty() {
            systems = locked_systems::lock_systems(conn, &totals, &ids, lock_mode)?;
            locked_systems::read(conn, &mut systems, lock_mode)?;
        }
        for system in &systems {
            // The quota is that of the organization, the same with each of its systems.
            totals[system.org].limits.quota =
                organizations::quota_of(system.row.quota_bytes, policy.default_quota);
        }
        let clock = systems.iter().map(|system| system.row.clock).max().unwrap_or_default();
        let (decisions, events) = (Decisions::default(), vec![]);
        Ok(Self { conn, policy, lock_mode, clock, totals, systems, decisions, changed: false, events })
    }

    /// `None` if the organization does not exist, or is skipped.
    fn run(&mut self, batch: &OrgBatch) -> Result<Option<Vec<OperationOutcome>>, DbError> {
        let Some(org) = self.totals.iter().position(|totals| totals.org_id == batch.org.as_str()) else {
            return Ok(None);
        };
        let here = |op: &Operation| self.index_of(op.system_id(), org).is_some();
        if self.lock_mode == LockMode::SkipLocked && !batch.operations.iter().all(here) {
            return Ok(None);
        }
        for refusal in &batch.refusals {
            self.record_refusal(org, refusal);
        }
        batch.operations.iter().map(|op| self.operate(org, op)).collect::<Result<_, _>>().map(Some)
    }

    fn index_of(&self, system: Uuid, org: usize) -> Option<usize> {
        self.systems.iter().position(|other| other.row.id == system && other.org == org)
    }

    fn operate(&mut self, org: usize, operation: &Operation) -> Result<OperationOutcome, DbError> {
        let Some(index) = self.index_of(operation.system_id(), org) else {
            return Ok(OperationOutcome::Revoked);
        };
        // A statement writes a row only once. (The service never has both in one batch.)
        if self.decisions.admitted.iter().any(|(new, _)| new.backup.uuid() == operation.backup()) {
            self.flush()?;
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
            stored_bytes: self.totals[*org].stored,
            reserved_bytes: self.totals[*org].reserved,
            backups: backups.clone(),
            uploads: uploads.clone(),
            pruned: vec![],
        }
    }

    /// What bounds the system.
    pub(super) fn limits(&self, index: usize) -> StorageLimits {
        self.totals[self.systems[index].org].limits
    }

    /// Replaces the system's rows and the organization's totals.
    pub(super) fn set_usage(&mut self, index: usize, after: SystemUsage) {
        let system = &mut self.systems[index];
        let totals = &mut self.totals[system.org];
        (totals.stored, totals.reserved) = (after.stored_bytes, after.reserved_bytes);
        (system.backups, system.uploads) = (after.backups, after.uploads);
        self.changed = true;
    }

    /// Returns the connection, for rows that were not read. What was decided so far is written first.
    pub(super) fn flushed_connection(&mut self) -> Result<&mut Conn, DbError> {
        self.flush()?;
        Ok(self.conn)
    }

    /// Writes what was decided, and reads the rows again.
    fn flush(&mut self) -> Result<(), DbError> {
        if self.write()? {
            locked_systems::read(self.conn, &mut self.systems, self.lock_mode)?;
        }
        Ok(())
    }

    /// Returns whether there was anything to write: a refusal must not cost a statement.
    fn write(&mut self) -> Result<bool, DbError> {
        if !self.changed {
            return Ok(false);
        }
        let decisions = std::mem::take(&mut self.decisions);
        apply::all(
            self.conn,
            (self.totals.as_slice(), self.policy.writer, self.clock),
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
            org_id: self.totals[org].org_id.clone(),
            system_id: Some(refusal.system_id),
            backup_id: None,
            actor: "service".to_owned(),
            remote_addr: refusal.remote_addr,
            detail: json!({ "reason": refusal.reason }),
        });
    }

    /// Adds an event of a system to the history.
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
            org_id: self.totals[system.org].org_id.clone(),
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
