//! Taking out of the books: uploads that failed, backups that are deleted.

use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::DbError;
use super::super::schema::backups;
use super::batch::Batch;
use super::change::Reason;
use super::operation::{Abort, Delete, DeletedBy, Outcome};
use crate::domain::accounting;

impl Batch<'_> {
    pub(super) fn abort(&mut self, index: usize, op: &Abort) -> Result<Outcome, DbError> {
        if self.systems[index].upload(op.backup).is_none() {
            let reason: Option<Option<String>> = backups::table
                .find(op.backup)
                .select(backups::retired_reason)
                .first(self.look()?)
                .optional()?;
            let failed = reason.flatten().as_deref() == Some(Reason::Failed.as_str());
            return Ok(if failed { Outcome::Aborted } else { Outcome::NotFound });
        }
        self.take_back(index, op.backup);
        if op.give_back_slot {
            let system = &mut self.systems[index];
            let entry = system.row_of(op.backup).and_then(|row| row.window_entry);
            let entries = system.row.recent_admissions.iter().copied();
            let rest = entries.filter(|at| Some(*at) != entry).collect();
            system.given_back += 1;
            self.set_admissions(index, rest);
        }
        Ok(Outcome::Aborted)
    }

    pub(super) fn take_back(&mut self, index: usize, upload: Uuid) {
        let after = accounting::abort(&self.ledger(index), upload);
        self.settle(index, after);
        self.facts.retired.push((upload, Reason::Failed));
    }

    pub(super) fn delete(&mut self, index: usize, op: &Delete) -> Result<Outcome, DbError> {
        let id = op.backup.uuid();
        let reason = if op.by == DeletedBy::System { Reason::System } else { Reason::Operator };
        let Some(after) = accounting::delete(&self.ledger(index), id) else {
            return self.deleted_before(op, reason);
        };
        let row = self.systems[index].row_of(id);
        if row.is_none_or(|row| row.extension != op.backup.ext().as_str()) {
            return Ok(Outcome::NotFound);
        }
        self.settle(index, after);
        self.facts.retired.push((id, reason));
        let detail = if let DeletedBy::Caller(_) = op.by { json!({ "with": "token" }) } else { json!({}) };
        self.tell(index, "deleted", op.by.actor(), id, op.remote_addr, detail);
        Ok(Outcome::Deleted)
    }

    /// It is not stored. If an earlier attempt's COMMIT was lost, it may have been this that took it away.
    fn deleted_before(&mut self, op: &Delete, reason: Reason) -> Result<Outcome, DbError> {
        let row: Option<(String, Option<String>)> = backups::table
            .find(op.backup.uuid())
            .filter(backups::system_id.eq(op.system_id))
            .select((backups::extension, backups::retired_reason))
            .first(self.look()?)
            .optional()?;
        let ours = row.is_none_or(|(extension, retired)| {
            extension == op.backup.ext().as_str() && retired.as_deref() == Some(reason.as_str())
        });
        Ok(if op.attempted_before && ours { Outcome::Deleted } else { Outcome::NotFound })
    }
}
