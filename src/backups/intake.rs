//! The body on its way from the client to the store: counted, hashed, limited, granted step by
//! step where its length is not known, and its last chunk withheld until everything agrees, so
//! that a bad upload never becomes an object.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::Outage;
use super::feed::Part;
use super::{BodyLimits, UploadError};
use crate::actors::OrgQuotas;
use crate::db::accounting::{Growth, Operation, Outcome};
use crate::domain::ids::{BackupId, OrgId};
use crate::domain::pace::BodyClock;
use crate::store::{BodyInterrupted, Meter, Receipt};

/// A body of unknown length is granted this many bytes ahead of what has arrived.
pub(super) const STEP: u64 = 8 * 1024 * 1024;

/// Longest time without the store taking anything.
const STORE_STALL: Duration = Duration::from_secs(15);

pub(super) type ToStore = mpsc::Sender<Result<Bytes, BodyInterrupted>>;

pub(super) struct Intake {
    pub parts: mpsc::Receiver<Part>,
    pub limits: BodyLimits,
    /// Declared length in bytes.
    pub length: Option<u64>,
    /// SHA-256 digests that the client sent along; all have to be the body's.
    pub digests: Vec<[u8; 32]>,
    /// Bytes that the organization has granted so far.
    pub granted: u64,
    pub backup: BackupId,
    pub system_id: uuid::Uuid,
    pub org: OrgId,
    pub orgs: OrgQuotas,
}

impl Intake {
    /// Takes the whole body in and passes it on. What the store gets ends cleanly only if the
    /// answer is `Ok`.
    pub async fn run(mut self, to_store: ToStore) -> Result<Receipt, UploadError> {
        let mut meter = Meter::new();
        let mut clock = BodyClock::new(self.limits.min_rate);
        let mut withheld: Option<Bytes> = None;
        let outcome = loop {
            let chunk = match self.receive(&mut clock).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break self.verify(meter),
                Err(error) => break Err(error),
            };
            if let Err(error) = self.allow(meter.count() + chunk.len() as u64).await {
                break Err(error);
            }
            meter.push(&chunk);
            if let Some(previous) = withheld.replace(chunk) {
                match timeout(STORE_STALL, to_store.send(Ok(previous))).await {
                    Ok(Ok(())) => {}
                    // The store has given up: its own error is the answer.
                    Ok(Err(_)) => return Err(UploadError::Interrupted),
                    Err(_) => return Err(UploadError::Unavailable(Outage::store(&"it takes nothing"))),
                }
            }
        };
        let last = match (&outcome, withheld) {
            (Ok(_), Some(last)) => Ok(last),
            _ => Err(BodyInterrupted),
        };
        match timeout(STORE_STALL, to_store.send(last)).await {
            Ok(Ok(())) => outcome,
            Ok(Err(_)) => outcome.and(Err(UploadError::Interrupted)),
            Err(_) => outcome.and(Err(UploadError::Unavailable(Outage::store(&"it takes nothing")))),
        }
    }

    /// The next chunk; `None` at the end. The clocks run only here: while the store pushes back,
    /// nobody waits for the client.
    async fn receive(&mut self, clock: &mut BodyClock) -> Result<Option<Bytes>, UploadError> {
        let started = Instant::now();
        let part = timeout_at(started + self.limits.idle_timeout, self.parts.recv()).await;
        clock.waited(started.elapsed());
        match part {
            Err(_) => Err(UploadError::TimedOut),
            Ok(None) => Err(UploadError::Interrupted),
            Ok(Some(Part::End)) => Ok(None),
            Ok(Some(Part::Chunk(chunk))) => {
                clock.received(chunk.len() as u64);
                if clock.too_slow() { Err(UploadError::TimedOut) } else { Ok(Some(chunk)) }
            }
        }
    }

    /// May there be `count` bytes in all?
    async fn allow(&mut self, count: u64) -> Result<(), UploadError> {
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
        // A step ahead, or if that does not fit exactly what is in hand.
        if self.grow((count + STEP).min(max_bytes)).await? || self.grow(count).await? {
            Ok(())
        } else {
            Err(UploadError::QuotaExceeded)
        }
    }

    async fn grow(&mut self, want: u64) -> Result<bool, UploadError> {
        let growth = Growth { system_id: self.system_id, backup: self.backup, want };
        match self.orgs.submit(&self.org, Operation::Grow(growth), super::upload::ADMISSION_PATIENCE).await {
            Ok(Outcome::Granted) => {
                self.granted = want;
                Ok(true)
            }
            Ok(Outcome::QuotaExceeded { .. }) => Ok(false),
            Ok(Outcome::Revoked) => Err(UploadError::Revoked),
            Ok(_) => Err(UploadError::TakenBack),
            Err(error) => Err(UploadError::Unavailable(Outage::database(&error))),
        }
    }

    fn verify(&self, meter: Meter) -> Result<Receipt, UploadError> {
        let receipt = meter.finish();
        if self.length.is_some_and(|length| length != receipt.size) {
            return Err(UploadError::Interrupted);
        }
        if receipt.size == 0 {
            return Err(UploadError::Empty);
        }
        if self.digests.iter().any(|digest| *digest != receipt.sha256) {
            return Err(UploadError::DigestMismatch);
        }
        Ok(receipt)
    }
}
