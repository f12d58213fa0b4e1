//! How a row of `backups` changes: the difference between the rows as they were read and as the operations have left them,
//! and what that difference does not show.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::DbError;
use super::locked_systems::{BackupRow, LockedSystem};
use super::operation::Admission;
use crate::domain::row_state::BackupState;

/// Why a backup is retired, as in `backups.retired_reason`.
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

    /// The seconds after which the object may be deleted.
    pub fn pause(self) -> f64 {
        if self == Self::Failed { TOMBSTONE_SECONDS } else { 0.0 }
    }
}

/// How long a failed upload's row is kept: its object may still appear, from a paused process or an aborted PUT.
const TOMBSTONE_SECONDS: f64 = 3600.0;

/// What the difference between the rows as they were read and as they have to be does not show.
#[derive(Default)]
pub(super) struct Decisions {
    /// New uploads, with their entries in the rate limit's window.
    pub admitted: Vec<(Admission, DateTime<Utc>)>,
    pub stored: Vec<StoredUpload>,
    pub retired: Vec<(Uuid, RetireReason)>,
}

/// What is known of an upload when it is complete.
pub(super) struct StoredUpload {
    pub id: Uuid,
    pub seq: i64,
    pub size: u64,
    pub sha256: [u8; 32],
    pub encrypted: bool,
}

/// A row of `backups` as it has to be.
pub(super) struct BackupChange<'a> {
    pub row: &'a BackupRow,
    pub state: BackupState,
    pub want: Option<u64>,
    pub reserved: u64,
    pub pledged_to: Option<Uuid>,
    pub stored: Option<&'a StoredUpload>,
    pub retired: Option<RetireReason>,
}

impl<'a> BackupChange<'a> {
    /// `None` if there is nothing to write.
    pub fn of(
        row: &'a BackupRow,
        system: &LockedSystem,
        decisions: &'a Decisions,
    ) -> Result<Option<Self>, DbError> {
        let stored = decisions.stored.iter().find(|stored| stored.id == row.id);
        let change = Self {
            row,
            state: BackupState::Retired,
            want: None,
            reserved: 0,
            pledged_to: None,
            stored,
            retired: None,
        };
        if let Some(upload) = system.upload(row.id) {
            let (want, reserved) = (Some(upload.want), upload.reserved);
            let change = Self { state: BackupState::Receiving, want, reserved, ..change };
            return Ok((upload != row.as_upload()).then_some(change));
        }
        if let Some(backup) = system.backups.iter().find(|backup| backup.id == row.id) {
            let pledged_to = backup.pledged_to;
            let change = Self { state: BackupState::Stored, pledged_to, ..change };
            return Ok((stored.is_some() || pledged_to != row.pledged_to).then_some(change));
        }
        let reason = decisions.retired.iter().find(|(id, _)| *id == row.id).map(|(_, reason)| *reason);
        let unknown = || DbError::Failed(format!("backup {} was removed for no reason", row.id));
        Ok(Some(Self { retired: Some(reason.ok_or_else(unknown)?), ..change }))
    }
}
