//! The changes of rows in `backups`: the difference between a row as it was read and as the operations have left it, and the
//! facts that this difference does not show.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::DbError;
use super::locked_backup::LockedBackup;
use super::locked_systems::LockedSystem;
use super::operation::{Admission, Operation};
use crate::domain::row_state::BackupState;

/// The reason for which a backup is retired: the values of `backups.retired_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetireReason {
    Slots,
    Size,
    System,
    Operator,
    Failed,
}

impl RetireReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Size => "size",
            Self::System => "system",
            Self::Operator => "operator",
            Self::Failed => "failed",
        }
    }

    /// Returns the seconds until the object may be deleted.
    pub fn purge_delay_seconds(self) -> f64 {
        if self == Self::Failed { TOMBSTONE_SECONDS } else { 0.0 }
    }
}

/// How long a failed upload's row is kept: a paused process or an aborted PUT may still write the object afterwards.
const TOMBSTONE_SECONDS: f64 = 3600.0;

/// Facts that the difference between the rows before and after does not show.
#[derive(Default)]
pub(super) struct Decisions {
    pub admitted: Vec<NewAdmission>,
    pub stored: Vec<StoredUpload>,
    pub retired: Vec<(Uuid, RetireReason)>,
}

impl Decisions {
    /// Whether the operation may change a row that this transaction has not written yet. A statement writes a row only once.
    ///
    /// An open upload is changed only by operations on it. (The service never puts two into a batch.) A stored backup may be
    /// pledged or pruned by every operation of its system.
    pub fn has_new_row_for(&self, operation: &Operation) -> bool {
        self.admitted.iter().any(|new| {
            let id = new.op.backup.uuid();
            let is_stored = || self.stored.iter().any(|stored| stored.id == id);
            id == operation.backup() || new.op.system_id == operation.system_id() && is_stored()
        })
    }
}

/// A new upload.
pub(super) struct NewAdmission {
    pub op: Admission,
    /// Its entry in the rate limit's window.
    pub entry: DateTime<Utc>,
    /// When it was admitted.
    pub at: DateTime<Utc>,
}

/// The facts about an upload that are known when it is complete.
pub(super) struct StoredUpload {
    pub id: Uuid,
    pub seq: i64,
    pub size: u64,
    pub sha256: [u8; 32],
    pub encrypted: bool,
}

/// A row of `backups` with its new values.
pub(super) struct BackupChange<'a> {
    pub row: &'a LockedBackup,
    pub state: BackupState,
    pub wanted_bytes: Option<u64>,
    pub reserved: u64,
    pub pledged_to: Option<Uuid>,
    pub stored: Option<&'a StoredUpload>,
    pub retired: Option<RetireReason>,
}

impl<'a> BackupChange<'a> {
    /// Returns the change of one row; `None` if the row has not changed.
    pub fn of(
        row: &'a LockedBackup,
        system: &LockedSystem,
        decisions: &'a Decisions,
    ) -> Result<Option<Self>, DbError> {
        let stored = decisions.stored.iter().find(|stored| stored.id == row.id);
        let change = Self {
            row,
            state: BackupState::Retired,
            wanted_bytes: None,
            reserved: 0,
            pledged_to: None,
            stored,
            retired: None,
        };
        if let Some(upload) = system.upload(row.id) {
            let (wanted_bytes, reserved) = (Some(upload.wanted_bytes), upload.reserved);
            let change = Self { state: BackupState::Receiving, wanted_bytes, reserved, ..change };
            return Ok((upload != row.as_upload()).then_some(change));
        }
        if let Some(backup) = system.backups.iter().find(|backup| backup.id == row.id) {
            let pledged_to = backup.pledged_to;
            let change = Self { state: BackupState::Stored, pledged_to, ..change };
            return Ok((stored.is_some() || pledged_to != row.pledged_to).then_some(change));
        }
        let reason = decisions.retired.iter().find(|(id, _)| *id == row.id).map(|(_, reason)| *reason);
        let unknown =
            || DbError::Failed(format!("backup {} was removed from the accounting without a reason", row.id));
        Ok(Some(Self { retired: Some(reason.ok_or_else(unknown)?), ..change }))
    }
}
