//! Aborts uploads and deletes backups.

use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::DbError;
use super::super::schema::backups;
use super::change::RetireReason;
use super::locked_systems::SystemIndex;
use super::operation::{Abort, Delete, DeletedBy, OperationOutcome, UploadFailure};
use super::transaction::Transaction;
use crate::domain::accounting;
use crate::domain::event_kind::EventKind;
use crate::domain::refusal::RefusalReason;

impl Transaction<'_> {
    pub(super) fn abort(&mut self, index: SystemIndex, op: &Abort) -> Result<OperationOutcome, DbError> {
        if self.systems[index].upload(op.backup).is_none() {
            let reason: Option<Option<String>> = backups::table
                .find(op.backup)
                .select(backups::retired_reason)
                .first(self.flushed_connection()?)
                .optional()?;
            let failed = reason.flatten().as_deref() == Some(RetireReason::Failed.as_str());
            return Ok(if failed { OperationOutcome::Aborted } else { OperationOutcome::NotFound });
        }
        self.roll_back(index, op.backup, op.failure, op.refused);
        if op.release_rate_slot {
            let system = &mut self.systems[index];
            let entry = system.row_of(op.backup).and_then(|row| row.window_entry);
            let entries = system.row.recent_admissions.iter().copied();
            let rest = entries.filter(|at| Some(*at) != entry).collect();
            system.released_slots += 1;
            self.set_admissions(index, rest);
        }
        Ok(OperationOutcome::Aborted)
    }

    /// Retires an upload as failed, records `failure` in the history, and notes `refused` for the status of its system.
    pub(super) fn roll_back(
        &mut self,
        index: SystemIndex,
        upload: Uuid,
        failure: Option<UploadFailure>,
        refused: Option<RefusalReason>,
    ) {
        let after = accounting::abort(&self.usage(index), upload);
        self.set_usage(index, after);
        self.decisions.retired.push((upload, RetireReason::Failed));
        let admitted = self.systems[index].row_of(upload).map(|row| row.admitted_at);
        if let Some((reason, admitted)) = refused.zip(admitted) {
            self.note_failed(index, reason, admitted);
        }
        let row = self.systems[index].row_of(upload);
        let Some((UploadFailure { reason, received }, row)) = failure.zip(row) else { return };
        let mut detail = json!({ "reason": reason.as_str(), "filename": row.filename });
        if let Some(received) = received {
            detail["received"] = json!(received);
        }
        let remote = row.remote_addr.map(|net| net.addr());
        self.record_event(index, EventKind::Failed, reason.actor(), upload, remote, detail);
    }

    pub(super) fn delete(&mut self, index: SystemIndex, op: &Delete) -> Result<OperationOutcome, DbError> {
        let id = op.backup.uuid();
        let reason = if op.by == DeletedBy::System { RetireReason::System } else { RetireReason::Operator };
        let usage = self.usage(index);
        let Some(after) = accounting::delete(&usage, id) else {
            return self.deleted_before(op, reason);
        };
        let row = self.systems[index].row_of(id).filter(|row| row.extension == op.backup.ext().as_str());
        let Some(row) = row else { return Ok(OperationOutcome::NotFound) };
        // The row is dropped soon. Support can still say which file was deleted. An operation before this one may have stored it.
        let size = usage.backups.iter().find(|backup| backup.id == id).map(|backup| backup.size);
        let mut detail = json!({ "filename": row.filename, "size": size });
        if let DeletedBy::Caller(_) = op.by {
            detail["with"] = json!("token");
        }
        self.set_usage(index, after);
        self.decisions.retired.push((id, reason));
        self.record_event(index, EventKind::Deleted, op.by.actor(), id, op.remote_addr, detail);
        Ok(OperationOutcome::Deleted)
    }

    /// Returns the outcome for a backup that is not stored. An earlier attempt, whose COMMIT had an unknown outcome, may have
    /// deleted it.
    fn deleted_before(&mut self, op: &Delete, reason: RetireReason) -> Result<OperationOutcome, DbError> {
        let row: Option<(String, Option<String>)> = backups::table
            .find(op.backup.uuid())
            .filter(backups::system_id.eq(op.system_id))
            .select((backups::extension, backups::retired_reason))
            .first(self.flushed_connection()?)
            .optional()?;
        let ours = row.is_none_or(|(extension, retired)| {
            extension == op.backup.ext().as_str() && retired.as_deref() == Some(reason.as_str())
        });
        Ok(if op.attempted_before && ours { OperationOutcome::Deleted } else { OperationOutcome::NotFound })
    }
}
