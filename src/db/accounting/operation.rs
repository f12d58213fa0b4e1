//! The operations of accounting, and their outcomes.

use std::net::IpAddr;
use std::time::Instant;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::failure_reason::FailureReason;
use crate::domain::filename::Filename;
use crate::domain::ids::{BackupId, OrgId};
use crate::domain::media_type::MediaType;
use crate::domain::object_key::ObjectKey;
use crate::domain::rate_window::RateLimits;
use crate::domain::refusal::RefusalReason;
use crate::domain::retention::Retention;

/// The settings of accounting.
#[derive(Debug, Clone)]
pub struct AccountingPolicy {
    pub retention: Retention,
    pub rate: RateLimits,
    /// The quota in bytes of an organization that has none of its own; `None`: unlimited.
    pub default_quota: Option<u64>,
    /// The id of this process in the table `writers`.
    pub writer: Uuid,
}

/// One change of an organization's accounting. Every operation is safe to repeat.
#[derive(Debug, Clone)]
pub enum Operation {
    Admit(Box<Admission>),
    Grow(Growth),
    Commit(Commit),
    Store(Box<Store>),
    Abort(Abort),
    Delete(Delete),
}

/// An upload to admit.
#[derive(Debug, Clone)]
pub struct Admission {
    pub system_id: Uuid,
    pub backup: BackupId,
    pub object_key: ObjectKey,
    pub filename: Filename,
    pub mimetype: MediaType,
    pub remote_addr: Option<IpAddr>,
    /// The declared length in bytes, or the first step of a body of unknown length.
    pub wanted_bytes: u64,
}

/// An open upload of unknown length needs more bytes.
#[derive(Debug, Clone)]
pub struct Growth {
    pub system_id: Uuid,
    pub backup: BackupId,
    /// The bytes that the whole upload needs so far, not only the additional ones.
    pub wanted_bytes: u64,
}

/// An upload to commit: it is complete, and its object is durable.
#[derive(Debug, Clone)]
pub struct Commit {
    pub system_id: Uuid,
    pub backup: BackupId,
    pub size: u64,
    pub sha256: [u8; 32],
    pub encrypted: bool,
}

/// An upload to admit and to commit in one step: all of it has arrived, and its object is durable.
#[derive(Debug, Clone)]
pub struct Store {
    /// It wants as many bytes as the body has.
    pub admission: Admission,
    pub sha256: [u8; 32],
    pub encrypted: bool,
    /// Whether an earlier attempt may have been committed. If nothing shows that it was, the upload is not stored: it may have
    /// been stored, deleted and purged.
    pub attempted_before: bool,
}

impl Store {
    pub(super) fn commit(&self) -> Commit {
        let Admission { system_id, backup, wanted_bytes: size, .. } = self.admission;
        Commit { system_id, backup, size, sha256: self.sha256, encrypted: self.encrypted }
    }
}

/// An upload to abort: it has failed, or nobody works on it any more.
#[derive(Debug, Clone)]
pub struct Abort {
    pub system_id: Uuid,
    pub backup: Uuid,
    /// Whether the upload's slot of the rate limit is released: `true` if the service is at fault.
    pub release_rate_slot: bool,
    /// The facts for the history; `None`: nothing is recorded, because a refusal is, or because there are too many.
    pub failure: Option<UploadFailure>,
    /// Why the system is left without this backup, for its status; `None`: the upload does not count for it.
    pub refused: Option<RefusalReason>,
}

/// Why an admitted upload was not stored, for the history.
#[derive(Debug, Clone, Copy)]
pub struct UploadFailure {
    pub reason: FailureReason,
    /// How much of the body was received, in bytes, if that is known.
    pub received: Option<u64>,
}

/// A stored backup to delete.
#[derive(Debug, Clone)]
pub struct Delete {
    pub system_id: Uuid,
    pub backup: BackupId,
    pub by: DeletedBy,
    pub remote_addr: Option<IpAddr>,
    /// Whether an earlier attempt may have been committed. Then the outcome is a success if the backup is gone.
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
    /// Returns the value of `backup_events.actor`.
    pub fn actor(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Operator => "operator",
            Self::Caller(sub) => sub,
        }
    }
}

/// A refused upload, for the history and for the status of its system.
#[derive(Debug, Clone)]
pub struct RefusedUpload {
    pub system_id: Uuid,
    pub reason: RefusalReason,
    pub remote_addr: Option<IpAddr>,
    /// When it was refused instead of admitted, for the status; `None`: it was admitted, and its abort notes the refusal.
    pub instead_of_admission: Option<Instant>,
    /// The last admission of the organization in this process before the refusal, by the database's clock. Times by two clocks
    /// can't be compared to the millisecond, so the refusal is dated after it in any case.
    pub not_before: Option<DateTime<Utc>>,
    /// Whether it becomes an event: at most one a minute for each system and reason.
    pub is_event: bool,
}

/// The operations of one organization that run in one transaction.
#[derive(Debug, Clone)]
pub struct OrgBatch {
    pub org: OrgId,
    /// The operations in the order in which they run.
    pub operations: Vec<Operation>,
    /// Refused uploads that the same transaction writes to the history.
    pub refusals: Vec<RefusedUpload>,
}

impl OrgBatch {
    /// Returns the systems that the batch is about. One may be there several times.
    pub(super) fn system_ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        let of_operations = self.operations.iter().map(Operation::system_id);
        of_operations.chain(self.refusals.iter().map(|refusal| refusal.system_id))
    }

    /// Makes a batch without refused uploads.
    pub fn new(org: OrgId, operations: Vec<Operation>) -> Self {
        Self { org, operations, refusals: vec![] }
    }
}

/// The outcome of an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationOutcome {
    /// The upload may begin. `at`: the time of the admission by the database's clock.
    Admitted { at: DateTime<Utc> },
    /// The rate limit refuses the upload.
    RateLimited { retry_after_seconds: u64 },
    /// The system has as many open uploads as it may have.
    TooManyOpen,
    /// The quota has no space for the bytes that an admission or a growth needs.
    QuotaExceeded {
        /// A larger upload is refused, too, if it has fewer bytes than this.
        refused_below_bytes: u64,
        /// Whether there would be enough space without the reservations of other open uploads.
        blocked_by_reservations: bool,
    },
    /// The open upload may use the bytes that it needs.
    Granted,
    /// The upload is a stored backup now, or was one already.
    Committed(Committed),
    /// The abort succeeded: the upload's row is retired as failed, and its object may be deleted.
    Aborted,
    /// The backup is retired, and its object may be deleted.
    Deleted,
    /// The system has no such backup, or no such open upload.
    NotFound,
    /// The system is suspended, being destroyed or gone. An upload that was to be committed was rolled back.
    Revoked,
    /// A growth or a commit found that the upload is not open any more: it was rolled back before. Or nothing is known of an
    /// upload that an earlier attempt may have stored.
    NotUnderWay,
    /// The quota was lowered and has no space for the upload. The commit rolled it back.
    QuotaLowered,
}

impl OperationOutcome {
    /// Returns when the operation has admitted an upload, if it has.
    pub fn admitted_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Admitted { at } => Some(*at),
            Self::Committed(committed) => committed.admitted_at,
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub uploaded_at: DateTime<Utc>,
    /// When it was admitted, if the same operation has admitted it.
    pub admitted_at: Option<DateTime<Utc>>,
    /// Whether backups were retired, so that there is something to purge.
    pub pruned: bool,
}

impl Operation {
    pub fn system_id(&self) -> Uuid {
        match self {
            Self::Admit(op) => op.system_id,
            Self::Grow(op) => op.system_id,
            Self::Commit(op) => op.system_id,
            Self::Store(op) => op.admission.system_id,
            Self::Abort(op) => op.system_id,
            Self::Delete(op) => op.system_id,
        }
    }

    /// Returns the id of the backup or upload that the operation changes.
    pub fn backup(&self) -> Uuid {
        match self {
            Self::Admit(op) => op.backup.uuid(),
            Self::Grow(op) => op.backup.uuid(),
            Self::Commit(op) => op.backup.uuid(),
            Self::Store(op) => op.admission.backup.uuid(),
            Self::Abort(op) => op.backup,
            Self::Delete(op) => op.backup.uuid(),
        }
    }

    /// Whether the operation may need more of the quota. Operations that free space or end an upload run before it.
    pub fn needs_space(&self) -> bool {
        matches!(self, Self::Admit(_) | Self::Grow(_) | Self::Store(_))
    }
}
