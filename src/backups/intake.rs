//! The body on its way from the client to the store: counted, hashed, limited, granted step by
//! step where its length is not known, and its last chunk withheld until everything agrees, so
//! that a bad upload never becomes an object.

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::error::Outage;
use super::feed::Part;
use super::{BodyLimits, UploadError};
use crate::actors::OrgQuotas;
use crate::db::accounting::{Growth, Operation, Outcome};
use crate::domain::ids::{BackupId, OrgId};
use crate::domain::pace::BodyClock;
use crate::store::{BodyInterrupted, Meter, PutBody, Receipt, Turn};

/// A body of unknown length is granted this many bytes ahead of what has arrived.
pub(super) const STEP: u64 = 8 * 1024 * 1024;

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

/// What was received, and when its last byte was.
pub(super) type Received = Result<(Receipt, Instant), UploadError>;

impl Intake {
    /// The body as the store gets it: it ends cleanly only if what was received is `Ok`. All work on it
    /// is done where the store asks for it, so a fast body meets no more threads than it has to.
    pub fn into_body(self) -> (PutBody, Watch) {
        let (tell, received) = oneshot::channel();
        let turn = Turn::of_store();
        let watch = Watch { received, turn: turn.clone() };
        let clock = BodyClock::new(self.limits.min_rate);
        let flow = Flow { intake: self, meter: Meter::new(), clock, withheld: None, tell };
        let body = stream::unfold(Some(flow), move |flow| {
            let turn = turn.clone();
            async move {
                turn.asks();
                let next = flow?.next().await;
                turn.has();
                next
            }
        });
        (Box::pin(body), watch)
    }

    /// What comes next. The clocks run only here: while the store pushes back,
    /// nobody waits for the client.
    async fn receive(&mut self, clock: &mut BodyClock) -> Result<Next, UploadError> {
        let started = Instant::now();
        let part = timeout_at(started + self.limits.idle_timeout, self.parts.recv()).await;
        clock.waited(started.elapsed());
        match part {
            Err(_) => Err(UploadError::TimedOut),
            Ok(None) => Err(UploadError::Interrupted),
            Ok(Some(Part::End(at))) => Ok(Next::End(at)),
            Ok(Some(Part::Chunk(chunk, _room))) => {
                clock.received(chunk.len() as u64);
                let others_wait = || self.orgs.is_crowded(&self.org);
                if clock.too_slow() || clock.too_slow_for_others() && others_wait() {
                    Err(UploadError::TimedOut)
                } else {
                    Ok(Next::Chunk(chunk))
                }
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

/// What comes next of a body.
enum Next {
    Chunk(Bytes),
    /// And when it was.
    End(Instant),
}

/// A body under way.
struct Flow {
    intake: Intake,
    meter: Meter,
    clock: BodyClock,
    withheld: Option<Bytes>,
    tell: oneshot::Sender<Received>,
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
            // Nobody listens to an upload that has been given up.
            let _ = self.tell.send(received);
            return Some((last, None));
        }
    }

    async fn take_in(&mut self) -> Result<Next, UploadError> {
        let next = self.intake.receive(&mut self.clock).await?;
        if let Next::Chunk(chunk) = &next {
            self.intake.allow(self.meter.count() + chunk.len() as u64).await?;
            self.meter.push(chunk);
            fail_point!("upload.chunk");
        }
        Ok(next)
    }
}

/// The other end of a body on its way into the store.
pub(super) struct Watch {
    /// Told when the body is over; closed when the store has let go of it before.
    pub received: oneshot::Receiver<Received>,
    pub turn: Turn,
}
