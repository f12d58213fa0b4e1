//! One transaction, with the operations of one organization or of several.

use std::net::IpAddr;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::connection::begun_with;
use super::super::events::{self, Event};
use super::super::{Conn, DbError, organizations};
use super::apply;
use super::change::Decisions;
use super::locked_systems::{self, LockedSystem, SystemIndex};
use super::operation::{AccountingPolicy, Operation, OperationOutcome, OrgBatch, RefusedUpload};
use super::org_totals::{self, LockMode, OrgIndex, OrgTotals};
use super::read_backups;
use crate::domain::accounting::{StorageLimits, SystemUsage};
use crate::domain::event_kind::EventKind;

macro_rules! begin {
    () => {
        "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
         SET LOCAL plan_cache_mode = force_generic_plan"
    };
}

/// Begins a transaction. Its plans depend on no statistics: a table that has just been filled looks empty to Postgres, and would be
/// scanned as a whole by every transaction until the next analysis. Each statement is planned once, for any number of values.
const BEGIN: &str = begin!();
/// The same for a shared transaction. It skips what others have locked, but backups are not locked before they are written: a
/// person's session may hold one.
const BEGIN_SHARED: &str = concat!(begin!(), "; SET LOCAL lock_timeout = '100ms'");

/// Runs the operations of one organization. Waits for locks. Returns one outcome for each operation.
pub fn run(
    conn: &mut Conn,
    policy: &AccountingPolicy,
    batch: &OrgBatch,
) -> Result<Vec<OperationOutcome>, DbError> {
    let outcomes = transact(conn, policy, std::slice::from_ref(batch), LockMode::Wait)?;
    let gone = || vec![OperationOutcome::Revoked; batch.operations.len()];
    Ok(outcomes.into_iter().next().flatten().unwrap_or_else(gone))
}

/// Runs the operations of several organizations in one transaction. Never waits for a lock: an organization whose rows are
/// locked or missing is skipped, and its outcome is `None`. (Only [`run`] can tell a missing row from a locked one.) Any one
/// of the organizations may be the cause of an error.
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
    let begin = if lock_mode == LockMode::Wait { BEGIN } else { BEGIN_SHARED };
    let result = begun_with(conn, begin, |conn| {
        let mut transaction = Transaction::lock(conn, policy, batches, lock_mode)?;
        let outcomes = batches.iter().map(|batch| transaction.run(batch)).collect::<Result<_, _>>()?;
        transaction.finish()?;
        fail_point!("accounting.written");
        decided = true;
        Ok(outcomes)
    });
    fail_point!("accounting.committed");
    // If everything was written, COMMIT itself failed, and the database may have committed all the same.
    result.map_err(|error| match error {
        DbError::Unavailable(text) | DbError::Failed(text) if decided => DbError::OutcomeUnknown(text),
        // Repeated together, it would delay every organization until the lock is released.
        DbError::Conflict(text) if lock_mode == LockMode::SkipLocked => DbError::Failed(text),
        error => error,
    })
}

/// A transaction that holds its locks. Each kind of operation is a method in a file of its own.
///
/// Operations read and change `totals` and `systems`. The differences are written when all operations are decided.
pub(super) struct Transaction<'a> {
    conn: &'a mut Conn,
    pub policy: &'a AccountingPolicy,
    lock_mode: LockMode,
    /// The latest `db_time` of the locked systems.
    pub db_time: DateTime<Utc>,
    /// When that was, by this process's clock.
    pub locked_at: Instant,
    pub totals: Vec<OrgTotals>,
    pub systems: Vec<LockedSystem>,
    pub decisions: Decisions,
    /// Whether `totals` or `systems` have changed since the last write.
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
        // A system is locked only if its organization is locked: this keeps the order of locks.
        let is_locked = |batch: &&OrgBatch| OrgIndex::find(&totals, batch.org.as_str()).is_some();
        let ids: Vec<Uuid> = batches.iter().filter(is_locked).flat_map(OrgBatch::system_ids).collect();
        let (mut systems, mut locked_at) = (vec![], Instant::now());
        if !ids.is_empty() {
            systems = locked_systems::lock_systems(conn, &totals, &ids, lock_mode)?;
            locked_at = Instant::now();
            for operation in batches.iter().flat_map(|batch| &batch.operations) {
                let own = |system: &&mut LockedSystem| system.row.id == operation.system_id();
                if let Some(system) = systems.iter_mut().find(own) {
                    system.needs.add(operation);
                }
            }
            read_backups::read(conn, &mut systems, policy.retention)?;
        }
        for system in &systems {
            // The quota is the organization's: every system that was read has the same.
            totals[system.org].limits.quota =
                organizations::quota_of(system.row.quota_bytes, policy.default_quota);
        }
        let db_time = systems.iter().map(|system| system.row.db_time).max().unwrap_or_default();
        let (decisions, events) = (Decisions::default(), vec![]);
        let changed = false;
        Ok(Self { conn, policy, lock_mode, db_time, locked_at, totals, systems, decisions, changed, events })
    }

    /// Runs the operations of one batch. `None` if the organization does not exist or is skipped.
    fn run(&mut self, batch: &OrgBatch) -> Result<Option<Vec<OperationOutcome>>, DbError> {
        let Some(org) = OrgIndex::find(&self.totals, batch.org.as_str()) else { return Ok(None) };
        let is_locked = |id: Uuid| SystemIndex::find(&self.systems, id, org).is_some();
        if self.lock_mode == LockMode::SkipLocked && !batch.system_ids().all(is_locked) {
            return Ok(None);
        }
        for refusal in &batch.refusals {
            if refusal.is_event {
                self.record_refusal(org, refusal);
            }
            // A system that is gone has no status.
            if let Some(index) = SystemIndex::find(&self.systems, refusal.system_id, org) {
                self.note_refused(index, refusal);
            }
        }
        batch.operations.iter().map(|op| self.operate(org, op)).collect::<Result<_, _>>().map(Some)
    }

    fn operate(&mut self, org: OrgIndex, operation: &Operation) -> Result<OperationOutcome, DbError> {
        let Some(index) = SystemIndex::find(&self.systems, operation.system_id(), org) else {
            return Ok(OperationOutcome::Revoked);
        };
        if self.decisions.has_new_row_for(operation) {
            self.flush()?;
        }
        match operation {
            Operation::Admit(op) => self.admit(index, op),
            Operation::Grow(op) => Ok(self.grow(index, op)),
            Operation::Commit(op) => self.commit(index, op),
            Operation::Store(op) => self.store(index, op),
            Operation::Abort(op) => self.abort(index, op),
            Operation::Delete(op) => self.delete(index, op),
        }
    }

    /// Returns the system's rows and the organization's totals, as the operations so far have left them.
    pub(super) fn usage(&self, index: SystemIndex) -> SystemUsage {
        let LockedSystem { org, backups, uploads, .. } = &self.systems[index];
        SystemUsage {
            stored_bytes: self.totals[*org].stored,
            reserved_bytes: self.totals[*org].reserved,
            backups: backups.clone(),
            uploads: uploads.clone(),
            pruned: vec![],
        }
    }

    /// Returns the limits that apply to the backups of [`usage`](Self::usage).
    pub(super) fn limits(&self, index: SystemIndex) -> StorageLimits {
        let system = &self.systems[index];
        let StorageLimits { retention, quota } = self.totals[system.org].limits;
        StorageLimits { retention: retention.beside(system.unread), quota }
    }

    /// Sets the system's rows and the organization's totals.
    pub(super) fn set_usage(&mut self, index: SystemIndex, after: SystemUsage) {
        let system = &mut self.systems[index];
        let totals = &mut self.totals[system.org];
        (totals.stored, totals.reserved) = (after.stored_bytes, after.reserved_bytes);
        // The row has facts about the backups.
        system.changed |= system.backups != after.backups;
        (system.backups, system.uploads) = (after.backups, after.uploads);
        self.changed = true;
    }

    /// Writes what was decided so far, then returns the connection, for queries of rows that were not read and locked.
    pub(super) fn flushed_connection(&mut self) -> Result<&mut Conn, DbError> {
        self.flush()?;
        Ok(self.conn)
    }

    /// Writes what was decided so far, and reads the rows again.
    fn flush(&mut self) -> Result<(), DbError> {
        if self.write()? {
            read_backups::read(self.conn, &mut self.systems, self.policy.retention)?;
        }
        Ok(())
    }

    /// Writes what was decided so far. Returns `false` if nothing has changed: then it runs no statement, because a refusal
    /// must not cost one.
    fn write(&mut self) -> Result<bool, DbError> {
        if !self.changed {
            return Ok(false);
        }
        let decisions = std::mem::take(&mut self.decisions);
        apply::write_changes(
            self.conn,
            (self.policy.writer, self.db_time),
            &self.totals,
            &self.systems,
            &decisions,
        )?;
        for system in &mut self.systems {
            system.note_written();
        }
        self.changed = false;
        Ok(true)
    }

    fn record_refusal(&mut self, org: OrgIndex, refusal: &RefusedUpload) {
        self.events.push(Event {
            kind: EventKind::Refused,
            org_id: self.totals[org].org_id.clone(),
            system_id: Some(refusal.system_id),
            backup_id: None,
            actor: "service".to_owned(),
            remote_addr: refusal.remote_addr,
            detail: json!({ "reason": refusal.reason.as_str() }),
        });
    }

    /// Adds an event of a system to the history.
    pub(super) fn record_event(
        &mut self,
        index: SystemIndex,
        kind: EventKind,
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
