//! Submits the admission of an upload to its organization.

use std::time::{Duration, Instant};

use crate::auth::basic::SystemIdentity;
use crate::backups::error::Outage;
use crate::backups::{UploadError, UploadHead, Vault};
use crate::db::accounting::{Admission, Operation, OperationOutcome};
use crate::domain::filename::Filename;
use crate::domain::ids::{BackupId, Extension};
use crate::domain::object_key::ObjectKey;

/// How long an admission waits for a database that can't be reached. Some appliances upload once a day, so a needless 503
/// may cost a day.
pub(super) const ADMISSION_TIMEOUT: Duration = Duration::from_secs(5);
/// How many bytes beyond those received are requested for a body of unknown length.
pub(super) const GRANT_STEP: u64 = 8 * 1024 * 1024;

impl Vault {
    /// Returns the admission to submit: a new id, and the metadata from the headers.
    pub(super) fn admission(&self, identity: &SystemIdentity, head: &UploadHead) -> Admission {
        let extension = head.filename.as_ref().map_or(Extension::Bin, Filename::ext);
        let backup = BackupId::new(self.ids.next(), extension);
        Admission {
            system_id: identity.id(),
            backup,
            object_key: ObjectKey::new(identity.org(), identity.key(), backup),
            filename: head
                .filename
                .clone()
                .unwrap_or_else(|| Filename::default_for(backup.uuid(), extension)),
            mimetype: head.mimetype.clone(),
            remote_addr: head.remote_addr,
            wanted_bytes: head.length.unwrap_or(GRANT_STEP.min(self.limits.max_upload)),
        }
    }

    /// Submits the admission, and returns the number of bytes that were granted. A body of unknown length is granted a first
    /// step, or, if the quota has no space for that, a single byte: more is requested as the body arrives.
    pub(super) async fn admit(
        &self,
        identity: &SystemIdentity,
        admission: &Admission,
        length: Option<u64>,
    ) -> Result<u64, UploadError> {
        match self.try_admit(identity, admission).await {
            Err(UploadError::QuotaExceeded) if length.is_none() => {
                let smallest = Admission { wanted_bytes: 1, ..admission.clone() };
                self.try_admit(identity, &smallest).await
            }
            result => result,
        }
    }

    async fn try_admit(&self, identity: &SystemIdentity, admission: &Admission) -> Result<u64, UploadError> {
        let submitted = Instant::now();
        let operation = Operation::Admit(Box::new(admission.clone()));
        match self.orgs.submit(identity.org(), operation, ADMISSION_TIMEOUT).await {
            Ok(OperationOutcome::Admitted { .. }) => Ok(admission.wanted_bytes),
            Ok(refused) => Err(self.refused_admission(identity, submitted, &refused)),
            Err(error) => Err(UploadError::Unavailable(Outage::database(&error))),
        }
    }

    /// Returns why an upload was not admitted. `submitted`: when the admission was submitted.
    pub(super) fn refused_admission(
        &self,
        identity: &SystemIdentity,
        submitted: Instant,
        outcome: &OperationOutcome,
    ) -> UploadError {
        match outcome {
            &OperationOutcome::RateLimited { retry_after_seconds } => {
                let epoch = identity.window_epoch();
                self.rate_refusals.refused(identity.id(), epoch, submitted, retry_after_seconds);
                UploadError::RateLimited { retry_after_seconds }
            }
            OperationOutcome::TooManyOpen => UploadError::TooManyOpen,
            OperationOutcome::QuotaExceeded { .. } => UploadError::QuotaExceeded,
            OperationOutcome::Revoked => UploadError::Revoked,
            other => UploadError::Unavailable(Outage::unexpected_outcome("an admission", other)),
        }
    }
}
