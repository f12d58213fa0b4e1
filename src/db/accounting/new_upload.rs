//! A new row of `backups`: of an open upload, or of one that the same transaction has stored.

use super::super::DbError;
use super::change::{Decisions, NewAdmission, StoredUpload};
use super::locked_systems::LockedSystem;
use crate::domain::accounting::OpenUpload;

/// A new row of `backups`.
pub(super) struct NewUpload<'a> {
    pub org: &'a str,
    pub admission: &'a NewAdmission,
    pub upload: OpenUpload,
    /// Set if the upload is stored already.
    pub stored: Option<&'a StoredUpload>,
}

impl<'a> NewUpload<'a> {
    /// Returns the row of an admission, as the operations after it have left it.
    pub fn of(
        admission: &'a NewAdmission,
        systems: &'a [LockedSystem],
        decisions: &'a Decisions,
    ) -> Result<Self, DbError> {
        let id = admission.op.backup.uuid();
        let lost = || DbError::Failed(format!("upload {id} was rolled back before it was written"));
        let system =
            systems.iter().find(|system| system.row.id == admission.op.system_id).ok_or_else(lost)?;
        let org = system.row.org_id.as_str();
        if let Some(upload) = system.upload(id) {
            return Ok(Self { org, admission, upload, stored: None });
        }
        let is_kept = system.backups.iter().any(|backup| backup.id == id);
        let stored = decisions.stored.iter().find(|stored| stored.id == id).filter(|_| is_kept);
        // Nothing is reserved for it any more.
        let upload = OpenUpload { id, wanted_bytes: admission.op.wanted_bytes, reserved: 0 };
        Ok(Self { org, admission, upload, stored: Some(stored.ok_or_else(lost)?) })
    }
}
