//! A body on its way from the client to the store. It is counted, hashed and held to its limits; one of unknown
//! length is granted its bytes step by step. The last chunk is withheld until length and digests are known to be
//! right, so that a bad upload never becomes an object.

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::admit::{ADMISSION_PATIENCE, STEP};
use super::body_channel::BodyMessage;
use crate::actors::OrgActors;
use crate::backups::error::Outage;
use crate::backups::{BodyLimits, UploadError};
use crate::db::accounting::{Growth, Operation, OperationOutcome};
use crate::domain::body_rate::BodyRateCheck;
use crate::domain::ids::{BackupId, OrgId};
use crate::domain::transfer_damage::TransferDamageCheck;
use crate::store::{BodyInterrupted, BodyMeter, BodySummary, PutBody, Watchdog};

/// What the body of one upload has to obey, and where it comes from.
pub(super) struct Intake {
    pub messages: mpsc::Receiver<BodyMessage>,
    pub limits: BodyLimits,
    /// Declared length in bytes.
    pub length: Option<u64>,
    /// SHA-256 digests that the client sent along; all have to be the body's.
    pub digests: Vec<[u8; 32]>,
    /// For clients that are known to damage files.
    pub damage: Option<TransferDamageCheck>,
    /// Bytes that the organization has granted so far.
    pub granted: u64,
    pub backup: BackupId,
    pub system_id: uuid::Uuid,
    pub org: OrgId,
    pub orgs: OrgActors,
}

/// What was received, and when its last byte came; or why it can't be stored.
pub(super) type Received = Result<(BodySummary, Instant), UploadError>;

/// What whoever gave the body to the store learns of it meanwhile.
pub(super) struct Progress {
    /// Sent when the body is over; closed without a word when the store lets go of the body before.
    pub received: oneshot::Receiver<Received>,
    pub watchdog: Watchdog,
}

impl Intake {
    /// The body as the store gets it. It ends cleanly only if what was received is `Ok`.
    ///
    /// All the work on a chunk is done where the store asks for it, so that a fast body does not change threads more
    /// often than it has to.
    pub fn into_body(self) -> (PutBody, Progress) {
        let (report, received) = oneshot::channel();
        let watchdog = Watchdog::new();
        let progress = Progress { received, watchdog: watchdog.clone() };
        let clock = BodyRateCheck::new(self.limits.min_rate);
        let flow = Flow { intake: self, meter: BodyMeter::new(), clock, withheld: None, report };
        let body = stream::unfold(Some(flow), move |flow| {
            let watchdog = watchdog.clone();
            async move {
                watchdog.pause();
                let next = flow?.next().await;
                watchdog.start();
                next
            }
        });
        (Box::pin(body), progress)
    }

    /// What comes next from the client. The clocks of the client run only here: while the store takes its time, the
    /// client is not the one who is waited for.
    async fn receive(&mut self, clock: &mut BodyRateCheck) -> Result<Next, UploadError> {
        let started = Instant::now();
        let message = timeout_at(started + self.limits.idle_timeout, self.messages.recv()).await;
        clock.waited(started.elapsed());
        match message {
            Err(_) => Err(UploadError::TimedOut),
            Ok(None) => Err(UploadError::Interrupted),
            Ok(Some(BodyMessage::End(at))) => Ok(Next::End(at)),
            Ok(Some(BodyMessage::Malformed(what))) => Err(UploadError::Malformed(what)),
            Ok(Some(BodyMessage::Chunk(chunk, _room))) => {
                clock.received(chunk.len() as u64);
                let others_wait = || self.orgs.is_contended(&self.org);
                if clock.too_slow() || clock.too_slow_while_others_wait() && others_wait() {
                    Err(UploadError::TimedOut)
                } else {
                    Ok(Next::Chunk(chunk))
                }
            }
        }
    }

    /// Whether the body may have `count` bytes in all. May ask the organization for more.
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
        // A step ahead; or, if there is no room for that, exactly what is in hand.
        if self.grow((count + STEP).min(max_bytes)).await? || self.grow(count).await? {
            Ok(())
        } else {
            Err(UploadError::QuotaExceeded)
        }
    }

    /// Asks the organization for `want` bytes in all; `false` if its quota has no room for them.
    async fn grow(&mut self, want: u64) -> Result<bool, UploadError> {
        let growth = Growth { system_id: self.system_id, backup: self.backup, want };
        match self.orgs.submit(&self.org, Operation::Grow(growth), ADMISSION_PATIENCE).await {
            Ok(OperationOutcome::Granted) => {
                self.granted = want;
                Ok(true)
            }
            Ok(OperationOutcome::QuotaExceeded { .. }) => Ok(false),
            Ok(OperationOutcome::Revoked) => Err(UploadError::Revoked),
            Ok(_) => Err(UploadError::Aborted),
            Err(error) => Err(UploadError::Unavailable(Outage::database(&error))),
        }
    }

    /// Holds what has passed against what was announced.
    fn verify(&self, meter: BodyMeter) -> Result<BodySummary, UploadError> {
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
        // A digest that is right clears a client of all suspicion.
        let damage = self.damage.as_ref().filter(|_| self.digests.is_empty());
        if let Some(damage) = damage.and_then(TransferDamageCheck::found) {
            return Err(UploadError::DamagedByClient(damage));
        }
        Ok(receipt)
    }
}

/// What comes next of a body.
enum Next {
    Chunk(Bytes),
    /// The end, and when it came.
    End(Instant),
}

/// A body under way.
struct Flow {
    intake: Intake,
    meter: BodyMeter,
    clock: BodyRateCheck,
    /// The chunk before the next one: at the end it turns out to be the last.
    withheld: Option<Bytes>,
    report: oneshot::Sender<Received>,
}

type Item = Result<Bytes, BodyInterrupted>;

impl Flow {
    async fn next(mut self) -> Option<(Item, Option<Self>)> {
        loop {
            let received = match self.take_in().await {
                Ok(Next::Chunk(chunk)) => match self.withheld.replace(chunk) {
                    Some(previous) => return Some((Ok(previous), Some(self))),
                    None => continue,
                },
                Ok(Next::End(at)) => self.intake.verify(self.meter).map(|receipt| (receipt, at)),
                Err(error) => Err(error),
            };
            let last = match (&received, self.withheld) {
                (Ok(_), Some(last)) => Ok(last),
                _ => Err(BodyInterrupted),
            };
            fail_point!("upload.received");
            // Nobody waits for the report of an upload that has been given up.
            let _ = self.report.send(received);
            return Some((last, None));
        }
    }

    /// Receives what comes next, and counts and hashes it if it may come in.
    async fn take_in(&mut self) -> Result<Next, UploadError> {
        let next = self.intake.receive(&mut self.clock).await?;
        if let Next::Chunk(chunk) = &next {
            self.intake.allow(self.meter.count() + chunk.len() as u64).await?;
            self.meter.push(chunk);
            if let Some(check) = &mut self.intake.damage {
                check.push(chunk);
            }
            fail_point!("upload.chunk");
        }
        Ok(next)
    }
}
