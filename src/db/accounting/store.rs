//! Admits and commits an upload in one transaction: it is the admission, followed by the commit, and its row is written once.

use diesel::prelude::*;
use diesel::sql_types::{Double, Text, Uuid as SqlUuid};

use super::super::DbError;
use super::super::schema::backups;
use super::change::RetireReason;
use super::commit::EndedUpload;
use super::locked_systems::SystemIndex;
use super::operation::{Committed, OperationOutcome, Store};
use super::transaction::Transaction;

impl Transaction<'_> {
    pub(super) fn store(&mut self, index: SystemIndex, op: &Store) -> Result<OperationOutcome, DbError> {
        let (id, system) = (op.admission.backup.uuid(), &self.systems[index]);
        let is_there = system.upload(id).is_some() || system.backups.iter().any(|backup| backup.id == id);
        if op.attempted_before || is_there {
            return self.stored_before(index, op);
        }
        match self.admit(index, &op.admission)? {
            OperationOutcome::Admitted { at } => Ok(match self.commit(index, &op.commit())? {
                OperationOutcome::Committed(committed) => {
                    OperationOutcome::Committed(Committed { admitted_at: Some(at), ..committed })
                }
                other => other,
            }),
            refused => Ok(refused),
        }
    }

    /// Returns the outcome of an upload that an earlier attempt may have stored. It may have been deleted since.
    ///
    /// If there is no row, one is written as of a failed upload: the earlier attempt may still be on its way, and must not store what
    /// is given up now.
    fn stored_before(&mut self, index: SystemIndex, op: &Store) -> Result<OperationOutcome, DbError> {
        let row: Option<EndedUpload> = backups::table
            .find(op.admission.backup.uuid())
            .select((backups::state, backups::sha256, backups::uploaded_at))
            .first(self.flushed_connection()?)
            .optional()?;
        match row {
            Some((_, Some(sha256), Some(uploaded_at))) if sha256 == op.sha256 => {
                let committed = Committed { uploaded_at, admitted_at: None, pruned: true };
                return Ok(OperationOutcome::Committed(committed));
            }
            Some(_) => {}
            None => self.write_tombstone(index, op)?,
        }
        let is_active = self.systems[index].is_active();
        Ok(if is_active { OperationOutcome::NotUnderWay } else { OperationOutcome::Revoked })
    }

    fn write_tombstone(&mut self, index: SystemIndex, op: &Store) -> Result<(), DbError> {
        let (writer, org) = (self.policy.writer, self.systems[index].row.org_id.clone());
        let admission = &op.admission;
        let sql = "INSERT INTO backups (id, system_id, org_id, object_key, extension, filename, mimetype, writer, admitted_at, \
                 want_bytes, reserved_bytes, state, retired_reason, retired_at, purge_after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp(), 0, 0, 'retired', 'failed', clock_timestamp(), \
                 clock_timestamp() + make_interval(secs => $9))";
        diesel::sql_query(sql)
            .bind::<SqlUuid, _>(admission.backup.uuid())
            .bind::<SqlUuid, _>(admission.system_id)
            .bind::<Text, _>(org)
            .bind::<Text, _>(admission.object_key.as_str())
            .bind::<Text, _>(admission.backup.ext().as_str())
            .bind::<Text, _>(admission.filename.as_str())
            .bind::<Text, _>(admission.mimetype.as_str())
            .bind::<SqlUuid, _>(writer)
            .bind::<Double, _>(RetireReason::Failed.purge_delay_seconds())
            .execute(self.flushed_connection()?)?;
        Ok(())
    }
}
