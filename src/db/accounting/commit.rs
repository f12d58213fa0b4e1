//! An upload is complete: visible, pruned for, told of.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use ipnet::IpNet;
use serde_json::json;

use super::super::schema::{backups, systems};
use super::super::{DbError, to_bigint};
use super::apply::{self, Reason};
use super::batch::Batch;
use super::ledger;
use super::operation::{Commit, Committed, Outcome};
use crate::domain::accounting;
use crate::domain::retention::PruneReason;

/// What is left of a row whose upload is not under way.
type Settled = (String, Option<Vec<u8>>, Option<DateTime<Utc>>);

impl Batch<'_> {
    pub(super) fn commit(&mut self, index: usize, op: &Commit) -> Result<Outcome, DbError> {
        let id = op.backup.uuid();
        let before = ledger::read(self.conn, &self.books, op.system_id)?;
        let Some(upload) = before.uploads.iter().find(|upload| upload.id == id) else {
            return self.committed_before(index, op);
        };
        if op.size > upload.want {
            return Err(DbError::Failed(format!("backup {id} is larger than what it was granted")));
        }
        if !self.systems[index].is_active() {
            self.take_back(&before, id)?;
            return Ok(Outcome::Revoked);
        }
        let Ok(after) = accounting::commit(&before, self.books.limits, id, op.size) else {
            // The quota was lowered meanwhile.
            self.take_back(&before, id)?;
            return Ok(Outcome::QuotaLowered);
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
    fn committed_before(&mut self, index: usize, op: &Commit) -> Result<Outcome, DbError> {
        let row: Option<Settled> = backups::table
            .find(op.backup.uuid())
            .select((backups::state, backups::sha256, backups::uploaded_at))
            .first(self.conn)
            .optional()?;
        Ok(match row {
            Some((state, Some(sha256), Some(uploaded_at))) if state == "stored" && sha256 == op.sha256 => {
                Outcome::Committed(Committed { uploaded_at, pruned: true })
            }
            _ if self.systems[index].is_active() => Outcome::TakenBack,
            _ => Outcome::Revoked,
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
        let remote: Option<IpNet> =
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
}
