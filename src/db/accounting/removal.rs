//! Taking out of the books: uploads that failed, backups that are deleted.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::DbError;
use super::super::schema::backups;
use super::apply::{self, Reason};
use super::batch::Batch;
use super::ledger;
use super::operation::{Abort, Delete, Outcome};
use crate::domain::accounting::{self, Ledger};

impl Batch<'_> {
    pub(super) fn abort(&mut self, index: usize, op: &Abort) -> Result<Outcome, DbError> {
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

    pub(super) fn take_back(&mut self, before: &Ledger, upload: Uuid) -> Result<(), DbError> {
        let after = accounting::abort(before, upload);
        apply::changes(self.conn, &mut self.books, before, &after)?;
        apply::retire(self.conn, upload, "receiving", Reason::Failed)?;
        Ok(())
    }

    pub(super) fn delete(&mut self, op: &Delete) -> Result<Outcome, DbError> {
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
            Some((ext, _, retired))
                if op.attempted_before
                    && ext == op.backup.ext().as_str()
                    && retired.as_deref() == Some(reason.as_str()) =>
            {
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
}
