//! Admits and commits an upload in one transaction: it is the admission, followed by the commit, and its row is written once.

use super::super::DbError;
use super::locked_systems::SystemIndex;
use super::operation::{Committed, OperationOutcome, Store};
use super::transaction::Transaction;

impl Transaction<'_> {
    pub(super) fn store(&mut self, index: SystemIndex, op: &Store) -> Result<OperationOutcome, DbError> {
        let (id, system) = (op.admission.backup.uuid(), &self.systems[index]);
        let is_there = system.upload(id).is_some() || system.backups.iter().any(|backup| backup.id == id);
        if op.attempted_before || is_there {
            return self.committed_before(index, &op.commit());
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
}
