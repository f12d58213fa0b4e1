//! An upload that is small and arrives at once: its object is put ahead, and one transaction admits and commits it. For any
//! other upload the admission comes first: one that is large or slow, whose body is not as declared, or for which the store
//! has no way to put an object ahead.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::COMMIT_TIMEOUT;
use super::body_channel::{BodyMessages, CAPACITY};
use super::body_receiver::verify;
use super::store_body::{STORE_TIMEOUT, object_metadata, out_of_time};
use crate::auth::basic::SystemIdentity;
use crate::backups::error::Outage;
use crate::backups::{Backup, UploadError, UploadHead, Vault};
use crate::db::accounting::{Admission, Operation, OperationOutcome, Store};
use crate::domain::transfer_damage::TransferDamageCheck;
use crate::store::{BodyMeter, BodySummary, Mark};

/// How long a small body may take to arrive. One that takes longer is admitted before the rest of it arrives.
const ARRIVAL: Duration = Duration::from_secs(1);
/// How long uploads are admitted first, at least, after one has failed for want of the database or the store.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the deletion of a refused upload's object may delay the answer. The sweep deletes it otherwise.
const DELETION_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest time after the last byte at which an upload is begun anew: there must be enough left for all of it.
const ANEW_WITHIN: Duration = Duration::from_secs(6);

/// What has become of an upload that was to be stored at once.
pub(super) enum AtOnceOutcome {
    Done(Box<Result<Backup, UploadError>>),
    /// It has to be admitted first. Nothing of it is stored.
    AdmitFirst,
    /// The same, but its id is used up.
    BeginAnew,
}

impl AtOnceOutcome {
    fn done(result: Result<Backup, UploadError>) -> Self {
        Self::Done(Box::new(result))
    }
}

/// An object that was put ahead.
struct PutAhead {
    body: BodySummary,
    mark: Box<dyn Mark>,
    last_byte: Instant,
}

/// Whether uploads are stored at once: not after one has failed for want of the database or the store, until another is stored. An
/// outage must not fill the disk with objects that wait to be deleted.
#[derive(Default)]
pub struct AtOnce {
    /// When an upload has last failed for such a reason.
    failed: Mutex<Option<Instant>>,
}

impl AtOnce {
    /// Notes that an upload has failed for want of the database or the store.
    pub(super) fn pause(&self) {
        *self.lock() = Some(Instant::now());
    }

    /// Notes that an upload was stored.
    pub(super) fn resume(&self) {
        self.lock().take_if(|failed| failed.elapsed() >= PAUSE);
    }

    fn is_paused(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault {
    /// Whether an upload may be stored at once, as far as is known before its body: it is small and on its way, and likely to be
    /// admitted.
    pub(super) fn may_store_at_once(&self, identity: &SystemIdentity, head: &UploadHead) -> bool {
        head.length.is_some_and(|length| length <= CAPACITY as u64)
            && !head.asks_first
            && !self.at_once.is_paused()
            && self.store.can_put_ahead()
            && !self.refused_lately.contains(identity.id())
    }

    /// Stores an upload whose body arrives at once.
    pub(super) async fn store_at_once(
        &self,
        identity: &SystemIdentity,
        head: &UploadHead,
        admission: &Admission,
        messages: &mut BodyMessages,
    ) -> AtOnceOutcome {
        let PutAhead { body, mark, last_byte } = match self.put_ahead(admission, head, messages).await {
            Ok(Some(put)) => put,
            Ok(None) => return AtOnceOutcome::AdmitFirst,
            Err(error) => return AtOnceOutcome::done(Err(error)),
        };
        fail_point!("upload.ahead");
        let submitted = std::time::Instant::now();
        let operation = Operation::Store(Box::new(Store {
            admission: admission.clone(),
            sha256: body.sha256,
            encrypted: body.encrypted,
            attempted_before: false,
        }));
        let time = (last_byte + COMMIT_TIMEOUT).saturating_duration_since(Instant::now());
        let ended = match self.orgs.submit(identity.org(), operation, time).await {
            Ok(OperationOutcome::Committed(committed)) => {
                mark.remove();
                return AtOnceOutcome::done(Ok(self.stored(identity, admission.clone(), &body, committed)));
            }
            // An earlier attempt was lost, and can't store it any more.
            Ok(OperationOutcome::NotUnderWay) if last_byte.elapsed() < ANEW_WITHIN => {
                AtOnceOutcome::BeginAnew
            }
            Ok(refused) => AtOnceOutcome::done(Err(self.refused_admission(identity, submitted, &refused))),
            // The upload may be stored all the same. The mark stays, and the sweep finds out.
            Err(error) => {
                return AtOnceOutcome::done(Err(UploadError::Unavailable(Outage::database(&error))));
            }
        };
        match timeout(DELETION_TIMEOUT, self.store.delete(&admission.object_key)).await {
            Ok(Ok(())) => mark.remove(),
            Ok(Err(error)) => log::warn!("{error}; the sweep will delete the object of a refused upload"),
            Err(_) => log::warn!("the sweep will delete the object of a refused upload: the store is slow"),
        }
        ended
    }

    /// Puts the object of an upload ahead. `None`: its body does not arrive at once or is not as declared, or the store can't.
    async fn put_ahead(
        &self,
        admission: &Admission,
        head: &UploadHead,
        messages: &mut BodyMessages,
    ) -> Result<Option<PutAhead>, UploadError> {
        let Some(last_byte) = messages.receive_ahead(ARRIVAL).await else { return Ok(None) };
        let chunks = messages.chunks_ahead();
        let mut damage = head.lossy_client.map(TransferDamageCheck::new);
        let mut meter = BodyMeter::new();
        for chunk in &chunks {
            meter.push(chunk);
            if let Some(damage) = &mut damage {
                damage.push(chunk);
            }
        }
        // A body that is refused is read once more, after its admission: that is where it is recorded.
        let Ok(body) = verify(meter, head.length, &head.digests, damage.as_ref()) else { return Ok(None) };
        let metadata = object_metadata(admission);
        let put = self.store.put_ahead(&admission.object_key, &metadata, chunks);
        match timeout_at(last_byte + STORE_TIMEOUT, put).await {
            Ok(Ok(mark)) => Ok(mark.map(|mark| PutAhead { body, mark, last_byte })),
            // A store that fails is tried once more, after the admission, which then has the reason.
            Ok(Err(_)) if last_byte.elapsed() < ANEW_WITHIN => Ok(None),
            _ => Err(out_of_time()),
        }
    }
}
