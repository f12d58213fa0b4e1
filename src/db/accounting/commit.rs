//! Commits an upload: makes it visible, prunes backups, and records both in the history.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::super::DbError;
use super::super::schema::backups;
use super::change::{RetireReason, StoredUpload};
use super::locked_systems::SystemIndex;
use super::operation::{Commit, Committed, OperationOutcome, UploadFailure};
use super::transaction::Transaction;
use crate::domain::accounting;
use crate::domain::event_kind::EventKind;
use crate::domain::failure_reason::FailureReason;
use crate::domain::refusal::RefusalReason;
use crate::domain::retention::PruneReason;
use crate::domain::row_state::BackupState;

/// State, SHA-256 and time of an upload that is not under way.
pub(super) type EndedUpload = (BackupState, Option<Vec<u8>>, Option<DateTime<Utc>>);

impl Transaction<'_> {
    pub(super) fn commit(&mut self, index: SystemIndex, op: &Commit) -> Result<OperationOutcome, DbError> {
        let id = op.backup.uuid();
        let Some(upload) = self.systems[index].upload(id) else {
            return self.committed_before(index, op);
        };
        if op.size > upload.wanted_bytes {
            return Err(DbError::Failed(format!("backup {id} has more bytes than it was granted")));
        }
        if !self.systems[index].is_active() {
            let failure = UploadFailure { reason: FailureReason::Revoked, received: Some(op.size) };
            self.roll_back(index, id, Some(failure), Some(RefusalReason::Suspended));
            return Ok(OperationOutcome::Revoked);
        }
        let Ok(after) = accounting::commit(&self.usage(index), self.limits(index), id, op.size) else {
            // The quota was lowered meanwhile. The upload's task records that as a refusal.
            self.roll_back(index, id, None, Some(RefusalReason::Quota));
            return Ok(OperationOutcome::QuotaLowered);
        };
        self.mark_stored(index, op);
        if let Some(admitted) = self.systems[index].admitted_at_of(id) {
            self.note_stored(index, admitted);
        }
        self.record_upload(index, op);
        for (victim, reason) in &after.pruned {
            let reason = match reason {
                PruneReason::Slots => RetireReason::Slots,
                PruneReason::Size => RetireReason::Size,
            };
            self.decisions.retired.push((victim.id, reason));
            let filename = self.systems[index].row_of(victim.id).map(|row| row.filename.as_str());
            let detail = json!({ "reason": reason.as_str(), "filename": filename, "size": victim.size });
            self.record_event(index, EventKind::Pruned, "service", victim.id, None, detail);
        }
        let pruned = !after.pruned.is_empty();
        self.set_usage(index, after);
        Ok(OperationOutcome::Committed(Committed { uploaded_at: self.db_time, admitted_at: None, pruned }))
    }

    /// Returns the outcome for a row that is not `receiving`: either an earlier attempt was committed and its answer was lost,
    /// or the upload was rolled back.
    fn committed_before(&mut self, index: SystemIndex, op: &Commit) -> Result<OperationOutcome, DbError> {
        let row: Option<EndedUpload> = backups::table
            .find(op.backup.uuid())
            .select((backups::state, backups::sha256, backups::uploaded_at))
            .first(self.flushed_connection()?)
            .optional()?;
        Ok(match row {
            Some((BackupState::Stored, Some(sha256), Some(uploaded_at))) if sha256 == op.sha256 => {
                OperationOutcome::Committed(Committed { uploaded_at, admitted_at: None, pruned: true })
            }
            _ if self.systems[index].is_active() => OperationOutcome::NotUnderWay,
            _ => OperationOutcome::Revoked,
        })
    }

    fn mark_stored(&mut self, index: SystemIndex, op: &Commit) {
        let system = &mut self.systems[index];
        system.row.last_seq += 1;
        system.changed = true;
        self.decisions.stored.push(StoredUpload {
            id: op.backup.uuid(),
            seq: system.row.last_seq,
            size: op.size,
            sha256: op.sha256,
            encrypted: op.encrypted,
        });
    }

    fn record_upload(&mut self, index: SystemIndex, op: &Commit) {
        let id = op.backup.uuid();
        let row = self.systems[index].row_of(id);
        let new = || self.decisions.admitted.iter().find(|new| new.op.backup.uuid() == id)?.op.remote_addr;
        let remote = row.map_or_else(new, |row| row.remote_addr.map(|net| net.addr()));
        let detail = json!({ "size": op.size, "encrypted": op.encrypted });
        self.record_event(index, EventKind::Uploaded, "system", id, remote, detail);
        let cap = self.policy.retention.bytes;
        if op.size > cap {
            log::warn!("backup {} alone is larger than the system's size cap of {cap} bytes", op.backup);
            let detail = json!({ "size": op.size, "cap": cap });
            self.record_event(index, EventKind::OverSizeCap, "service", id, None, detail);
        }
    }
}
