//! An upload that is small and arrives at once: its object is put ahead, and one transaction admits and commits it. For any
//! other upload the admission comes first: one that is large or slow, whose body is not as declared, or for which the store
//! has no way to put an object ahead.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::body_channel::{BodyMessages, CAPACITY};
use super::body_receiver::verify;
use super::store_body::object_metadata;
use super::task::COMMIT_TIMEOUT;
use crate::auth::basic::SystemIdentity;
use crate::backups::error::Outage;
use crate::backups::{Backup, UploadError, UploadHead, Vault};
use crate::db::accounting::{Admission, Operation, OperationOutcome, Store};
use crate::domain::transfer_damage::TransferDamageCheck;
use crate::store::{BodyMeter, BodySummary, Mark};

/// How long a small body may take to arrive. One that takes longer is admitted before the rest of it arrives.
const ARRIVAL: Duration = Duration::from_millis(100);

/// An object that was put ahead.
struct PutAhead {
    body: BodySummary,
    mark: Box<dyn Mark>,
    last_byte: Instant,
}

/// How long all uploads are admitted first after one whose outcome is not known: its object stays for an hour if it was not
/// stored, and an outage must not fill the disk.
const PAUSE: Duration = Duration::from_secs(10);

/// Whether uploads are stored at once.
#[derive(Default)]
pub struct AtOnce {
    /// When the outcome of an upload was last not known.
    unknown: Mutex<Option<Instant>>,
}

impl AtOnce {
    fn pause(&self) {
        *self.unknown.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_paused(&self) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.is_some_and(|at| at.elapsed() < PAUSE)
    }
}

impl Vault {
    /// Whether an upload may be stored at once, as far as is known before its body: it is small and on its way, and likely to be
    /// admitted.
    pub(super) fn may_store_at_once(&self, identity: &SystemIdentity, head: &UploadHead) -> bool {
        head.length.is_some_and(|length| length <= CAPACITY as u64)
            && !head.asks_first
            && !self.refused_lately.contains(identity.id())
            && !self.at_once.is_paused()
    }

    /// Stores an upload whose body arrives at once. `None`: it has to be admitted first, and nothing of it is stored.
    pub(super) async fn store_at_once(
        &self,
        identity: &SystemIdentity,
        head: &UploadHead,
        messages: &mut BodyMessages,
    ) -> Option<Result<Backup, UploadError>> {
        let admission = self.admission(identity, head);
        let PutAhead { body, mark, last_byte } = self.put_ahead(&admission, head, messages).await?;
        fail_point!("upload.ahead");
        let submitted = std::time::Instant::now();
        let operation = Operation::Store(Box::new(Store {
            admission: admission.clone(),
            sha256: body.sha256,
            encrypted: body.encrypted,
            attempted_before: false,
        }));
        let timeout = (last_byte + COMMIT_TIMEOUT).saturating_duration_since(Instant::now());
        let refused = match self.orgs.submit(identity.org(), operation, timeout).await {
            Ok(OperationOutcome::Committed(committed)) => {
                mark.remove();
                return Some(Ok(self.stored(identity, admission, &body, committed)));
            }
            // An earlier attempt may have been committed. Nothing shows it, so it was not, or the backup is gone again.
            Ok(OperationOutcome::NotUnderWay) => None,
            Ok(refused) => Some(self.refused_admission(identity, submitted, &refused)),
            // The upload may be stored all the same. The mark stays, and the sweep finds out.
            Err(error) => {
                self.at_once.pause();
                return Some(Err(UploadError::Unavailable(Outage::database(&error))));
            }
        };
        if let Err(error) = self.store.delete(&admission.object_key).await {
            log::warn!("could not delete the object of a refused upload: {error}; the sweep will delete it");
        } else {
            mark.remove();
        }
        refused.map(Err)
    }

    /// Puts the object of an upload whose body arrives at once, and is as declared.
    async fn put_ahead(
        &self,
        admission: &Admission,
        head: &UploadHead,
        messages: &mut BodyMessages,
    ) -> Option<PutAhead> {
        let last_byte = messages.receive_ahead(ARRIVAL).await?;
        let chunks = messages.chunks_ahead();
        let mut damage = head.lossy_client.map(TransferDamageCheck::new);
        let mut meter = BodyMeter::new();
        for chunk in &chunks {
            meter.push(chunk);
            if let Some(damage) = &mut damage {
                damage.push(chunk);
            }
        }
        let body = verify(meter, head.length, &head.digests, damage.as_ref()).ok()?;
        let put = self.store.put_ahead(&admission.object_key, &object_metadata(admission), chunks).await;
        // A store that fails is tried once more, after the admission, which then has the reason.
        let mark = put.ok()??;
        Some(PutAhead { body, mark, last_byte })
    }
}
