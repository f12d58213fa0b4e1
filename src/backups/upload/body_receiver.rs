//! Receives the body of an upload from the client, and checks it against its limits, its declared length and its digests. For
//! a body of unknown length the organization grants the bytes step by step.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::admit::{ADMISSION_TIMEOUT, GRANT_STEP};
use super::body_channel::{BodyMessage, BodyMessages};
use crate::actors::OrgActors;
use crate::backups::error::Outage;
use crate::backups::{BodyLimits, UploadError};
use crate::db::accounting::{Growth, Operation, OperationOutcome};
use crate::domain::body_rate::BodyRateCheck;
use crate::domain::ids::{BackupId, OrgId};
use crate::domain::transfer_damage::TransferDamageCheck;
use crate::store::{BodyMeter, BodySummary};

/// Receives and checks the body of one upload.
pub(super) struct BodyReceiver {
    pub messages: BodyMessages,
    pub limits: BodyLimits,
    /// Declared length in bytes.
    pub length: Option<u64>,
    /// SHA-256 digests that the client sent; the body has to match all of them.
    pub digests: Vec<[u8; 32]>,
    /// The check for damage, if the client is known to damage files.
    pub damage: Option<TransferDamageCheck>,
    /// The number of bytes that the organization has granted so far.
    pub granted: u64,
    pub backup: BackupId,
    pub system_id: uuid::Uuid,
    pub org: OrgId,
    pub orgs: OrgActors,
    /// The number of bytes received so far, for the history of an upload that fails.
    pub received: Arc<AtomicU64>,
}

/// The next item of a body.
pub(super) enum BodyItem {
    Chunk(Bytes),
    /// The end of the body, and when it arrived.
    End(Instant),
}

impl BodyReceiver {
    /// Receives the next item from the client. The timeouts of the client run only in this function: while the store is busy,
    /// nothing waits for the client.
    pub async fn receive(&mut self, rate: &mut BodyRateCheck) -> Result<BodyItem, UploadError> {
        let started = Instant::now();
        let message = timeout_at(started + self.limits.idle_timeout, self.messages.next()).await;
        rate.waited(started.elapsed());
        match message {
            Err(_) => Err(UploadError::TimedOut),
            Ok(None) => Err(UploadError::Interrupted),
            Ok(Some(BodyMessage::End(at))) => Ok(BodyItem::End(at)),
            Ok(Some(BodyMessage::Malformed(what))) => Err(UploadError::Malformed(what)),
            Ok(Some(BodyMessage::Chunk(chunk, _permit))) => {
                rate.received(chunk.len() as u64);
                let others_wait = || self.orgs.is_contended(&self.org);
                if rate.too_slow() || rate.too_slow_while_others_wait() && others_wait() {
                    Err(UploadError::TimedOut)
                } else {
                    Ok(BodyItem::Chunk(chunk))
                }
            }
        }
    }

    /// Checks that the body may have `count` bytes in all, and requests more from the organization if necessary.
    pub async fn reserve_up_to(&mut self, count: u64) -> Result<(), UploadError> {
        if let Some(length) = self.length {
            return if count <= length { Ok(()) } else { Err(UploadError::Interrupted) };
        }
        let max_bytes = self.limits.max_upload;
        if count > max_bytes {
            return Err(UploadError::TooLarge { max_bytes });
        }
        if count <= self.granted {
            return Ok(());
        }
        // Request a step more; or, if the quota has no space for that, exactly the bytes that have arrived.
        if self.grow((count + GRANT_STEP).min(max_bytes)).await? || self.grow(count).await? {
            Ok(())
        } else {
            Err(UploadError::QuotaExceeded)
        }
    }

    /// Requests `wanted_bytes` bytes in all from the organization. Returns `false` if its quota has no space for them.
    async fn grow(&mut self, wanted_bytes: u64) -> Result<bool, UploadError> {
        let growth = Growth { system_id: self.system_id, backup: self.backup, wanted_bytes };
        match self.orgs.submit(&self.org, Operation::Grow(growth), ADMISSION_TIMEOUT).await {
            Ok(OperationOutcome::Granted) => {
                self.granted = wanted_bytes;
                Ok(true)
            }
            Ok(OperationOutcome::QuotaExceeded { .. }) => Ok(false),
            Ok(OperationOutcome::Revoked) => Err(UploadError::Revoked),
            Ok(OperationOutcome::NotUnderWay) => Err(UploadError::Aborted),
            Ok(other) => Err(UploadError::Unavailable(Outage::unexpected_outcome("a growth", &other))),
            Err(error) => Err(UploadError::Unavailable(Outage::database(&error))),
        }
    }

    /// Checks the whole body against its declared length and digests.
    pub fn verify(&self, meter: BodyMeter) -> Result<BodySummary, UploadError> {
        verify(meter, self.length, &self.digests, self.damage.as_ref())
    }
}

/// Checks a whole body against its declared length and digests, and for damage.
pub(super) fn verify(
    meter: BodyMeter,
    length: Option<u64>,
    digests: &[[u8; 32]],
    damage: Option<&TransferDamageCheck>,
) -> Result<BodySummary, UploadError> {
    let body = meter.finish();
    if length.is_some_and(|length| length != body.size) {
        return Err(UploadError::Interrupted);
    }
    if body.size == 0 {
        return Err(UploadError::Empty);
    }
    if digests.iter().any(|digest| *digest != body.sha256) {
        return Err(UploadError::DigestMismatch);
    }
    // A correct digest proves that the client has not damaged the file.
    let damage = damage.filter(|_| digests.is_empty());
    if let Some(damage) = damage.and_then(TransferDamageCheck::found) {
        return Err(UploadError::DamagedByClient(damage));
    }
    Ok(body)
}
