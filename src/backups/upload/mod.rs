//! An upload, from its admission to its commit. The steps, file by file:
//!
//! 1. This file: [`Vault::begin_upload`] makes the checks that cost no transaction, and spawns the upload's task.
//! 2. `task.rs`: the task submits the admission (`admit.rs`), stores the body, and submits the commit. `live.rs`: the ids of
//!    the uploads that have a task, which the sweep leaves alone.
//! 3. `body_channel.rs`: carries the body from the HTTP handler to the task ([`BodySender`]).
//! 4. `body_receiver.rs`: checks each chunk against the limits, the quota, the declared length and the digests.
//! 5. `body_stream.rs`: the body, which the store reads chunk by chunk. `store_body.rs`: waits for the store, within timeouts.
//! 6. `at_once.rs`: a small body that arrives at once is stored before its admission, and one transaction admits and commits it.
//! 7. `reservation.rs`, `aborter.rs`: if anything fails or is dropped, the upload is aborted.
//!
//! A task owns the upload, not the handler: the HTTP framework drops a handler's future at any await when the client resets
//! the connection, and an admitted upload has to be finished or aborted.

mod aborter;
mod admit;
mod at_once;
mod body_channel;
mod body_receiver;
mod body_stream;
mod live;
mod reservation;
mod store_body;
mod task;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use aborter::Aborter;
pub use at_once::AtOnce;
pub use body_channel::BodySender;
pub use live::LiveUploads;

use super::{Backup, UploadError, Vault};
use crate::auth::basic::SystemIdentity;
use crate::db::accounting::RefusedUpload;
use crate::domain::filename::Filename;
use crate::domain::ids::BackupId;
use crate::domain::media_type::MediaType;
use crate::domain::refusal::RefusalReason;
use crate::domain::transfer_damage::LossyClient;

/// How long after the last byte the commit may be tried. A client receives its answer within 30 s of its last byte, whatever
/// the engine and the database do: the rest of that time is for the abort.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(22);

/// Where the task of an upload sends what the handler waits for.
struct Answers {
    /// `None`: it was sent.
    admitted: Option<oneshot::Sender<Result<BackupId, UploadError>>>,
    stored: oneshot::Sender<Result<Backup, UploadError>>,
}

impl Answers {
    /// Lets the handler send the body of the upload.
    fn accept_body(&mut self, id: BackupId) {
        if let Some(admitted) = self.admitted.take() {
            // If the handler was dropped, the messages end without `BodyMessage::End`, and the upload is aborted.
            let _ = admitted.send(Ok(id));
        }
    }

    /// Sends the result. The handler may be gone.
    fn finish(self, result: Result<Backup, UploadError>) {
        match (self.admitted, result) {
            (Some(admitted), Err(error)) => drop(admitted.send(Err(error))),
            (_, result) => drop(self.stored.send(result)),
        }
    }
}

/// The parameters of an upload, from the head of its request.
#[derive(Debug, Clone)]
pub struct UploadHead {
    pub filename: Option<Filename>,
    pub mimetype: MediaType,
    /// Declared length in bytes; `None`: chunked.
    pub length: Option<u64>,
    /// SHA-256 digests that the client sent.
    pub digests: Vec<[u8; 32]>,
    /// Set if the client is known to damage files.
    pub lossy_client: Option<LossyClient>,
    /// Whether the client sends the body only when it is told to (`Expect: 100-continue`).
    pub asks_first: bool,
    pub remote_addr: Option<IpAddr>,
}

/// The handler's end of an upload.
pub struct UploadHandle {
    /// The id of the backup that it may become.
    pub id: BackupId,
    /// Accepts the body. Dropping it without [`BodySender::end`] aborts the upload.
    pub body: BodySender,
    /// Sent when the upload is stored or has failed.
    pub result: oneshot::Receiver<Result<Backup, UploadError>>,
}

impl Vault {
    /// Spawns the task that owns the upload, and waits for its admission, unless a small body may come first.
    ///
    /// # Errors
    /// The reason why the upload was not admitted. Later errors are the result in the [`UploadHandle`].
    pub async fn begin_upload(
        self: &Arc<Self>,
        identity: &SystemIdentity,
        head: UploadHead,
    ) -> Result<UploadHandle, UploadError> {
        let sent = Instant::now();
        if let Err(error) = self.check_head(identity, &head).await {
            self.record_refusal(identity, &error, head.remote_addr, Some(sent));
            self.authenticator.note_seen(identity, head.remote_addr);
            return Err(error);
        }
        fail_point!("upload.authenticated");
        let (body, messages) = BodySender::new();
        let (result_tx, result) = oneshot::channel();
        let (admitted_tx, admitted) = oneshot::channel();
        let (vault, identity) = (Arc::clone(self), identity.clone());
        let answers = Answers { admitted: Some(admitted_tx), stored: result_tx };
        let task = async move { vault.run_upload(identity, head, sent, messages, answers).await };
        self.tasks.spawn_on(task, &self.runtime);
        match admitted.await {
            Ok(Ok(id)) => Ok(UploadHandle { id, body, result }),
            // The task has recorded the refusal: this future is dropped if the client gives up before its answer.
            Ok(Err(error)) => Err(error),
            Err(_) => Err(UploadError::Aborted),
        }
    }

    /// Makes the checks that cost no transaction.
    async fn check_head(&self, identity: &SystemIdentity, head: &UploadHead) -> Result<(), UploadError> {
        let max_bytes = self.limits.max_upload;
        if head.length.is_some_and(|length| length > max_bytes) {
            return Err(UploadError::TooLarge { max_bytes });
        }
        match self.rate_refusals.check(identity.id(), identity.window_epoch()).await {
            Some(retry_after_seconds) => Err(UploadError::RateLimited { retry_after_seconds }),
            None => Ok(()),
        }
    }

    /// Notes for the status of the system that an upload was refused because its head is malformed.
    pub fn refuse_malformed_head(&self, identity: &SystemIdentity, remote_addr: Option<IpAddr>) {
        let now = Instant::now();
        self.refused_lately.record(identity.id(), now);
        self.submit_refusal(identity, RefusalReason::Malformed, remote_addr, Some(now));
    }

    /// Notes for the status of the system, which is suspended, that an upload arrived at this time: it shows when the system is
    /// resumed.
    pub fn refuse_inactive(&self, system: &SystemIdentity, remote_addr: Option<IpAddr>, arrived: Instant) {
        self.submit_refusal(system, RefusalReason::Suspended, remote_addr, Some(arrived));
    }

    /// Counts a refusal, and submits it for the history and for the status of the system. `sent`: when the upload was sent that
    /// was refused instead of admitted; `None`: it was admitted, and its abort notes the refusal for the status.
    fn record_refusal(
        &self,
        identity: &SystemIdentity,
        error: &UploadError,
        remote_addr: Option<IpAddr>,
        sent: Option<Instant>,
    ) {
        if let Some(sent) = sent {
            self.note_refused_lately(identity, error, sent);
        }
        let unavailable = || error.refused().filter(|_| sent.is_some());
        if let Some(reason) = error.refusal_reason().or_else(unavailable) {
            self.submit_refusal(identity, reason, remote_addr, sent);
        }
    }

    /// Remembers until the database has it that the system is left without this upload.
    fn note_refused_lately(&self, identity: &SystemIdentity, error: &UploadError, sent: Instant) {
        if error.refused().is_some() {
            self.refused_lately.record(identity.id(), sent);
        }
    }

    fn submit_refusal(
        &self,
        identity: &SystemIdentity,
        reason: RefusalReason,
        remote_addr: Option<IpAddr>,
        sent: Option<Instant>,
    ) {
        self.metrics.refused(reason.as_str());
        let refusal = RefusedUpload {
            system_id: identity.id(),
            reason,
            remote_addr,
            instead_of_admission: sent,
            not_before: None,
            is_event: false,
        };
        self.orgs.record_refusal(identity.org(), refusal);
    }
}
