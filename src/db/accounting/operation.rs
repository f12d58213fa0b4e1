//! The operations of accounting, and their outcomes.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::filename::Filename;
use crate::domain::ids::{BackupId, OrgId};
use crate::domain::media_type::MediaType;
use crate::domain::object_key::ObjectKey;
use crate::domain::rate_window::RateLimits;
use crate::domain::retention::Retention;

/// The settings of accounting.
#[derive(Debug, Clone)]
pub struct AccountingPolicy {
    pub retention: Retention,
    pub rate: RateLimits,
    /// For organizations without a quota of their own, in bytes; `None`: unlimited.
    pub default_quota: Option<u64>,
    /// This process, as in `writers`.
    pub writer: Uuid,
}

/// One change of an organization's accounting. All are safe to repeat.
#[derive(Debug, Clone)]
pub enum Operation {
    Admit(Box<Admission>),
    Grow(Growth),
    Commit(Commit),
    Abort(Abort),
    Delete(Delete),
}

/// A new upload wants to be admitted.
#[derive(Debug, Clone)]
pub struct Admission {
    pub system_id: Uuid,
    pub backup: BackupId,
    pub object_key: ObjectKey,
    pub filename: Filename,
    pub mimetype: MediaType,
    pub remote_addr: Option<IpAddr>,
    /// Declared length in bytes, or the first step of a body of unknown length.
    pub want: u64,
}

/// An open upload of unknown length needs more bytes.
#[derive(Debug, Clone)]
pub struct Growth {
    pub system_id: Uuid,
    pub backup: BackupId,
    /// Bytes in all.
    pub want: u64,
}

/// An upload is complete and its object durable: it becomes visible.
#[derive(Debug, Clone)]
pub struct Commit {
    pub system_id: Uuid,
    pub backup: BackupId,
    pub size: u64,
    pub sha256: [u8; 32],
    pub encrypted: bool,
}

/// An upload failed or was given up.
#[derive(Debug, Clone)]
pub struct Abort {
    pub system_id: Uuid,
    pub backup: Uuid,
    /// Whether the service is at fault: then its slot of the rate limit is released.
    pub release_rate_slot: bool,
}

/// A stored backup is deleted.
#[derive(Debug, Clone)]
pub struct Delete {
    pub system_id: Uuid,
    pub backup: BackupId,
    pub by: DeletedBy,
    pub remote_addr: Option<IpAddr>,
    /// Whether an earlier attempt's COMMIT may have taken place: then it is a success if the backup is gone.
    pub attempted_before: bool,
}

/// Who deletes a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletedBy {
    /// The appliance itself.
    System,
    /// A person at the command line.
    Operator,
    /// The subject of a token.
    Caller(String),
}

impl DeletedBy {
    /// As events name it.
    pub fn actor(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Operator => "operator",
            Self::Caller(sub) => sub,
        }
    }
}

/// A refused upload, for the history: at most one event a minute for each system and reason.
#[derive(Debug, Clone)]
pub struct RefusedUpload {
    pub system_id: Uuid,
    /// rate, size, quota, digest, damaged, timeout or malformed.
    pub reason: &'static str,
    pub remote_addr: Option<IpAddr>,
}

/// The operations of one organization that run in one transaction.
#[derive(Debug, Clone)]
pub struct OrgBatch {
    pub org: OrgId,
    /// In this order.
    pub operations: Vec<Operation>,
    /// Written to the history with them.
    pub refusals: Vec<RefusedUpload>,
}

impl OrgBatch {
    /// A batch without refused uploads.
    pub fn new(org: OrgId, operations: Vec<Operation>) -> Self {
        Self { org, operations, refusals: vec![] }
    }
}

/// The answer to an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationOutcome {
    Admitted,
    RateLimited {
        retry_after_seconds: u64,
    },
    TooManyOpen,
    /// A larger upload of fewer than `below` bytes would be refused, too.
    QuotaExceeded {
        below: u64,
        /// Whether there would be room without what other open uploads have reserved.
        contended: bool,
    },
    Granted,
    Committed(Committed),
    /// The upload's row is retired as failed: its object may be deleted.
    Aborted,
    Deleted,
    /// The system has no such backup, or no such open upload.
    NotFound,
    /// The system is suspended, being destroyed or gone.
    Revoked,
    /// The upload is no longer open: it was rolled back.
    RolledBack,
    /// A lowered quota has no room for the upload, which was rolled back.
    QuotaLowered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub uploaded_at: DateTime<Utc>,
    /// Whether backups were retired: there is something to purge.
    pub pruned: bool,
}

impl Operation {
    pub fn system_id(&self) -> Uuid {
        match self {
            Self::Admit(op) => op.system_id,
            Self::Grow(op) => op.system_id,
            Self::Commit(op) => op.system_id,
            Self::Abort(op) => op.system_id,
            Self::Delete(op) => op.system_id,
        }
    }

    /// The backup or upload that it is about.
    pub fn backup(&self) -> Uuid {
        match self {
            Self::Admit(op) => op.backup.uuid(),
            Self::Grow(op) => op.backup.uuid(),
            Self::Commit(op) => op.backup.uuid(),
            Self::Abort(op) => op.backup,
            Self::Delete(op) => op.backup.uuid(),
        }
    }

    /// Whether the operation may need more of the quota. Operations that free space or end an upload run before it.
    pub fn needs_space(&self) -> bool {
        matches!(self, Self::Admit(_) | Self::Grow(_))
    }
}
