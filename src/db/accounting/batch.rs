//! One transaction for a batch of operations of one organization.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::events::{self, Event};
use super::super::schema::{backups, systems};
use super::super::{Conn, DbError, to_bigint};
use super::apply::{self, Reason};
use super::ledger::{self, Books, SystemRow};
use super::operation::{
    Abort, Admission, Admitted, Commit, Committed, Delete, Growth, Operation, Outcome, Policy, Refusal,
};
use crate::domain::accounting::{self, QuotaExceeded, QuotaLowered};
use crate::domain::ids::OrgId;
use crate::domain::retention::PruneReason;
use crate::domain::window::{self, Window};

/// Uploads of one system that may be under way at once.
const MAX_OPEN_UPLOADS: usize = 4;

/// Runs the operations in their order and gives an outcome for each. `refusals` are written along.
pub fn run(
    conn: &mut Conn,
    policy: &Policy,
    org: &OrgId,
    operations: &[Operation],
    refusals: &[Refusal],
) -> Result<Vec<Outcome>, DbError> {
    conn.transaction(|conn| {
        let Some(books) = ledger::lock_org(conn, org.as_str(), policy)? else {
            return Ok(vec![Outcome::Revoked; operations.len()]);
        };
        let ids: Vec<Uuid> = operations.iter().map(Operation::system_id).collect();
        let systems = ledger::lock_systems(conn, org.as_str(), &ids)?;
        let mut batch = Batch { conn, policy, books, systems, events: vec![] };
        for refusal in refusals {
            batch.note_refusal(refusal);
        }
        let outcomes = operations.iter().map(|op| batch.operate(op)).collect::<Result<_, _>>()?;
        batch.finish()?;
        Ok(outcomes)
    })
}

struct Batch<'a> {
    conn: &'a mut Conn,
    policy: &'a Policy,
    books: Books,
    systems: Vec<SystemRow>,
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
            Operation::Grow(op) => self.grow(op),
            Operation::Commit(op) => self.commit(index, op),
            Operation::Abort(op) => self.abort(index, op),
            Operation::Delete(op) => self.delete(op),
        }
    }

    fn admit(&mut self, index: usize, op: &Admission) -> Result<Outcome, DbError> {
        let system = self.systems[index].clone();
        if !system.is_active() {
            return Ok(Outcome::Revoked);
        }
        let before = ledger::read(self.conn, &self.books, system.id)?;
        let clock = ledger::clock(self.conn)?;
        if before.uploads.iter().any(|upload| upload.id == op.backup.uuid()) {
            return Ok(Outcome::Admitted(Admitted { at: clock }));
        }
        let admissions: Vec<_> = system.recent_admissions.iter().flatten().copied().collect();
        let (entry, entries) = match window::decide(&admissions, clock, self.policy.rate) {
            Window::Open { entry, entries } => (entry, entries),
            Window::Closed { retry_after_seconds } => {
                return Ok(Outcome::RateLimited { retry_after_seconds });
            }
        };
        if before.uploads.len() >= MAX_OPEN_UPLOADS {
            return Ok(Outcome::TooManyOpen);
        }
        let limits = self.books.limits;
        let Ok(after) = accounting::admit(&before, limits, op.backup.uuid(), op.want) else {
            return Ok(Outcome::QuotaExceeded);
        };
        self.insert_receiving(op, clock, entry)?;
        apply::changes(self.conn, &mut self.books, &before, &after)?;
        self.set_admissions(index, entries, false)?;
        Ok(Outcome::Admitted(Admitted { at: clock }))
    }

    fn insert_receiving(
        &mut self,
        op: &Admission,
        now: DateTime<Utc>,
        entry: DateTime<Utc>,
    ) -> Result<(), DbError> {
        diesel::insert_into(backups::table)
            .values((
                backups::id.eq(op.backup.uuid()),
                backups::system_id.eq(op.system_id),
                backups::org_id.eq(&self.books.org_id),
                backups::object_key.eq(op.object_key.as_str()),
                backups::extension.eq(op.backup.ext().as_str()),
                backups::state.eq("receiving"),
                backups::filename.eq(op.filename.as_str()),
                backups::mimetype.eq(op.mimetype.as_str()),
                backups::writer.eq(self.policy.writer),
                backups::remote_addr.eq(op.remote_addr.map(ipnet::IpNet::from)),
                backups::admitted_at.eq(now),
                backups::window_entry.eq(entry),
                backups::want_bytes.eq(0),
                backups::reserved_bytes.eq(0),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    fn set_admissions(
        &mut self,
        index: usize,
        entries: Vec<DateTime<Utc>>,
        given_back: bool,
    ) -> Result<(), DbError> {
        let system = &mut self.systems[index];
        system.recent_admissions = entries.into_iter().map(Some).collect();
        diesel::update(systems::table.find(system.id))
            .set((
                systems::recent_admissions.eq(&system.recent_admissions),
                systems::window_epoch.eq(systems::window_epoch + i64::from(given_back)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    fn grow(&mut self, op: &Growth) -> Result<Outcome, DbError> {
        let before = ledger::read(self.conn, &self.books, op.system_id)?;
        let id = op.backup.uuid();
        if !before.uploads.iter().any(|upload| upload.id == id) {
            return Ok(Outcome::TakenBack);
        }
        match accounting::grow(&before, self.books.limits, id, op.want) {
            Ok(after) => {
                apply::changes(self.conn, &mut self.books, &before, &after)?;
                Ok(Outcome::Granted)
            }
            Err(QuotaExceeded) => Ok(Outcome::QuotaExceeded),
        }
    }

    fn commit(&mut self, index: usize, op: &Commit) -> Result<Outcome, DbError> {
        let id = op.backup.uuid();
        let before = ledger::read(self.conn, &self.books, op.system_id)?;
        let Some(upload) = before.uploads.iter().find(|upload| upload.id == id) else {
            return self.committed_before(op);
        };
        if op.size > upload.want {
            return Err(DbError::Failed(format!("backup {id} is larger than what it was granted")));
        }
        if !self.systems[index].is_active() {
            self.take_back(&before, id)?;
            return Ok(Outcome::Revoked);
        }
        let after = match accounting::commit(&before, self.books.limits, id, op.size) {
            Ok(after) => after,
            Err(QuotaLowered) => {
                self.take_back(&before, id)?;
                return Ok(Outcome::QuotaLowered);
            }
        };
        let uploaded_at = self.mark_stored(index, op)?;
        apply::changes(self.conn, &mut self.books, &before, &after)?;
        self.tell_uploaded(op)?;
        for (victim, reason) in &after.pruned {
            let reason = match reason {
                PruneReason::Slots => Reason::Slots,
                PruneReason::Size => Reason::Size,
            };
            apply::retire(self.conn, victim.id, "stored", reason)?;
            let detail = json!({ "reason": reason.as_str(), "size": victim.size });
            self.tell("pruned", "service", op.system_id, Some(victim.id), None, detail);
        }
        Ok(Outcome::Committed(Committed { uploaded_at, pruned: !after.pruned.is_empty() }))
    }

    /// The row is not `receiving`: either this very commit was done and its answer lost, or the
    /// upload was taken back.
    fn committed_before(&mut self, op: &Commit) -> Result<Outcome, DbError> {
        let row: Option<(String, Option<Vec<u8>>, Option<DateTime<Utc>>)> = backups::table
            .find(op.backup.uuid())
            .select((backups::state, backups::sha256, backups::uploaded_at))
            .first(self.conn)
            .optional()?;
        Ok(match row {
            Some((state, Some(sha256), Some(uploaded_at))) if state == "stored" && sha256 == op.sha256 => {
                Outcome::Committed(Committed { uploaded_at, pruned: true })
            }
            _ => Outcome::TakenBack,
        })
    }

    fn mark_stored(&mut self, index: usize, op: &Commit) -> Result<DateTime<Utc>, DbError> {
        let uploaded_at = ledger::clock(self.conn)?;
        let system = &mut self.systems[index];
        system.last_seq += 1;
        diesel::update(systems::table.find(system.id))
            .set(systems::last_seq.eq(system.last_seq))
            .execute(self.conn)?;
        diesel::update(backups::table.find(op.backup.uuid()))
            .set((
                backups::state.eq("stored"),
                backups::seq.eq(system.last_seq),
                backups::size_bytes.eq(to_bigint(op.size)),
                backups::sha256.eq(op.sha256.as_slice()),
                backups::encrypted.eq(op.encrypted),
                backups::uploaded_at.eq(uploaded_at),
                backups::reserved_bytes.eq(0),
            ))
            .execute(self.conn)?;
        Ok(uploaded_at)
    }

    fn tell_uploaded(&mut self, op: &Commit) -> Result<(), DbError> {
        let remote: Option<ipnet::IpNet> =
            backups::table.find(op.backup.uuid()).select(backups::remote_addr).first(self.conn)?;
        let remote = remote.map(|net| net.addr());
        let id = Some(op.backup.uuid());
        let detail = json!({ "size": op.size, "encrypted": op.encrypted });
        self.tell("uploaded", "system", op.system_id, id, remote, detail);
        let cap = self.policy.retention.bytes;
        if op.size > cap {
            log::warn!("backup {} alone is larger than the system's size cap of {cap} bytes", op.backup);
            self.tell(
                "over_size_cap",
                "service",
                op.system_id,
                id,
                None,
                json!({ "size": op.size, "cap": cap }),
            );
        }
        Ok(())
    }

    fn abort(&mut self, index: usize, op: &Abort) -> Result<Outcome, DbError> {
        let before = ledger::read(self.conn, &self.books, op.system_id)?;
        if !before.uploads.iter().any(|upload| upload.id == op.backup) {
            let reason: Option<Option<String>> =
                backups::table.find(op.backup).select(backups::retired_reason).first(self.conn).optional()?;
            let failed = reason.flatten().as_deref() == Some(Reason::Failed.as_str());
            return Ok(if failed { Outcome::Aborted } else { Outcome::NotFound });
        }
        self.take_back(&before, op.backup)?;
        if op.give_back_slot {
            let entry: Option<DateTime<Utc>> =
                backups::table.find(op.backup).select(backups::window_entry).first(self.conn)?;
            let entries = self.systems[index].recent_admissions.iter().flatten().copied();
            let rest = entries.filter(|at| Some(*at) != entry).collect();
            self.set_admissions(index, rest, true)?;
        }
        Ok(Outcome::Aborted)
    }

    fn take_back(&mut self, before: &accounting::Ledger, upload: Uuid) -> Result<(), DbError> {
        let after = accounting::abort(before, upload);
        apply::changes(self.conn, &mut self.books, before, &after)?;
        apply::retire(self.conn, upload, "receiving", Reason::Failed)?;
        Ok(())
    }

    fn delete(&mut self, op: &Delete) -> Result<Outcome, DbError> {
        let id = op.backup.uuid();
        let before = ledger::read(self.conn, &self.books, op.system_id)?;
        let row: Option<(String, String, Option<String>)> = backups::table
            .find(id)
            .filter(backups::system_id.eq(op.system_id))
            .select((backups::extension, backups::state, backups::retired_reason))
            .first(self.conn)
            .optional()?;
        let reason = if op.by_operator { Reason::Operator } else { Reason::System };
        match row {
            Some((ext, state, _)) if state == "stored" && ext == op.backup.ext().as_str() => {}
            // The first attempt's COMMIT was lost, but it took place.
            Some((.., retired)) if op.attempted_before && retired.as_deref() == Some(reason.as_str()) => {
                return Ok(Outcome::Deleted);
            }
            None if op.attempted_before => return Ok(Outcome::Deleted),
            _ => return Ok(Outcome::NotFound),
        }
        let Some(after) = accounting::delete(&before, id) else { return Ok(Outcome::NotFound) };
        apply::changes(self.conn, &mut self.books, &before, &after)?;
        apply::retire(self.conn, id, "stored", reason)?;
        let actor = if op.by_operator { "operator" } else { "system" };
        self.tell("deleted", actor, op.system_id, Some(id), op.remote_addr, json!({}));
        Ok(Outcome::Deleted)
    }

    fn note_refusal(&mut self, refusal: &Refusal) {
        let detail = json!({ "reason": refusal.reason });
        self.tell("refused", "service", refusal.system_id, None, refusal.remote_addr, detail);
    }

    fn tell(
        &mut self,
        kind: &'static str,
        actor: &str,
        system: Uuid,
        backup_id: Option<Uuid>,
        remote_addr: Option<std::net::IpAddr>,
        detail: serde_json::Value,
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
        apply::books(self.conn, &self.books)?;
        events::write(self.conn, &self.events)
    }
}
