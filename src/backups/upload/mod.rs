//! An upload, from its admission to its commit.
//!
//! A task of its own owns it, not the handler: the HTTP framework drops a handler's future at any await when the peer
//! resets the connection, and what was admitted has to be finished or aborted.

mod abort_queue;
mod admit;
mod body_channel;
mod intake;
mod live;
mod reservation;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

pub use abort_queue::AbortQueue;
pub use body_channel::BodySender;
pub use live::LiveUploads;

use crate::auth::basic::SystemIdentity;
use crate::backups::error::Outage;
use crate::backups::{Backup, UploadError, Vault};
use crate::db::accounting::{Admission, Commit, Operation, OperationOutcome, RefusedUpload};
use crate::domain::filename::Filename;
use crate::domain::media_type::MediaType;
use crate::domain::transfer_damage::{LossyClient, TransferDamageCheck};
use crate::store::{BodySummary, ObjectMetadata, PutError};
use body_channel::BodyMessage;
use intake::{Intake, Progress};
use reservation::Reservation;

/// What is known of an upload before its body.
#[derive(Debug, Clone)]
pub struct UploadRequest {
    pub filename: Option<Filename>,
    pub mimetype: MediaType,
    /// Declared length in bytes; `None`: chunked.
    pub length: Option<u64>,
    /// SHA-256 digests that the client sent along.
    pub digests: Vec<[u8; 32]>,
    /// A client that is known to damage files.
    pub lossy_client: Option<LossyClient>,
    pub remote_addr: Option<IpAddr>,
}

/// The handler's end of an upload that was admitted.
pub struct UploadHandle {
    /// Takes the body. Dropped without [`BodySender::end`], it aborts the upload.
    pub body: BodySender,
    /// Sent when the upload is stored or has failed.
    pub result: oneshot::Receiver<Result<Backup, UploadError>>,
}

/// The longest time that a store may have a chunk in hand without asking for the next one.
const STORE_STALL: Duration = Duration::from_secs(15);
// A client has its answer within 30 s of its last byte, whatever the engine and the database do.
/// How long after the last byte the store may take to finish.
const STORED_WITHIN: Duration = Duration::from_secs(18);
/// How long after the last byte the commit may be tried. What is left of the 30 s is for the abort.
const COMMITTED_WITHIN: Duration = Duration::from_secs(22);

impl Vault {
    /// Asks for an upload to be admitted, and starts the task that owns it.
    ///
    /// # Errors
    /// Why it was not admitted. What goes wrong later is the result in the [`UploadHandle`].
    pub async fn begin_upload(
        self: &Arc<Self>,
        who: &SystemIdentity,
        request: UploadRequest,
    ) -> Result<UploadHandle, UploadError> {
        let remote_addr = request.remote_addr;
        let result = self.let_in(who, request).await;
        if let Err(error) = &result {
            self.note_refusal(who, error, remote_addr);
        }
        result
    }

    /// Checks what costs no transaction, then leaves the upload to its task and waits for the admission.
    async fn let_in(
        self: &Arc<Self>,
        who: &SystemIdentity,
        request: UploadRequest,
    ) -> Result<UploadHandle, UploadError> {
        let max_bytes = self.limits.max_upload;
        if request.length.is_some_and(|length| length > max_bytes) {
            return Err(UploadError::TooLarge { max_bytes });
        }
        if let Some(retry_after_seconds) = self.rate_refusals.check(who.id(), who.window_epoch()).await {
            return Err(UploadError::RateLimited { retry_after_seconds });
        }
        fail_point!("upload.authenticated");
        let (body, messages) = BodySender::new();
        let (result_tx, result) = oneshot::channel();
        let (admitted_tx, admitted) = oneshot::channel();
        let (vault, who) = (Arc::clone(self), who.clone());
        let task = async move { vault.own_upload(who, request, messages, admitted_tx, result_tx).await };
        self.tasks.spawn_on(task, &self.runtime);
        match admitted.await {
            Ok(Ok(())) => Ok(UploadHandle { body, result }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(UploadError::Aborted),
        }
    }

    /// The upload's task: admission, body, commit; or the abort.
    async fn own_upload(
        self: Arc<Self>,
        who: SystemIdentity,
        request: UploadRequest,
        messages: mpsc::Receiver<BodyMessage>,
        admitted: oneshot::Sender<Result<(), UploadError>>,
        stored: oneshot::Sender<Result<Backup, UploadError>>,
    ) {
        let admission = self.admission(&who, &request);
        let (backup, key) = (admission.backup, admission.object_key.clone());
        let reservation = Reservation::new(
            who.org().clone(),
            who.id(),
            backup.uuid(),
            key,
            self.aborts.clone(),
            self.live.clone(),
        );
        let granted = match self.admit(&who, &admission, request.length).await {
            Ok(granted) => granted,
            Err(error @ UploadError::Unavailable(_)) => {
                // Whether it was admitted is not known, so it is aborted as if it was.
                log::error!("upload {backup} of system {} was not admitted: {error}", who.id());
                reservation.abort(true).await;
                let _ = admitted.send(Err(error));
                return;
            }
            Err(refused) => {
                reservation.disarm();
                let _ = admitted.send(Err(refused));
                return;
            }
        };
        fail_point!("upload.admitted");
        // If the handler is gone, the messages end without `BodyMessage::End`, and the upload is aborted.
        let _ = admitted.send(Ok(()));
        let remote_addr = request.remote_addr;
        let intake = Intake {
            messages,
            limits: self.limits.clone(),
            length: request.length,
            digests: request.digests,
            damage: request.lossy_client.map(TransferDamageCheck::new),
            granted,
            backup,
            system_id: who.id(),
            org: who.org().clone(),
            orgs: self.orgs.clone(),
        };
        let result = self.receive_and_commit(&who, admission, intake).await;
        match &result {
            Ok(_) => reservation.disarm(),
            Err(error) => {
                self.note_refusal(&who, error, remote_addr);
                let level = if error.is_ours() { log::Level::Error } else { log::Level::Info };
                let from = from(remote_addr);
                log::log!(level, "upload {backup} of system {} {from} was not stored: {error}", who.id());
                reservation.abort(error.is_ours()).await;
            }
        }
        let _ = stored.send(result);
    }

    async fn receive_and_commit(
        &self,
        who: &SystemIdentity,
        admission: Admission,
        intake: Intake,
    ) -> Result<Backup, UploadError> {
        let (receipt, last_byte) = self.store_body(&admission, intake).await?;
        fail_point!("upload.stored");
        let commit = Commit {
            system_id: who.id(),
            backup: admission.backup,
            size: receipt.size,
            sha256: receipt.sha256,
            encrypted: receipt.encrypted,
        };
        let patience = (last_byte + COMMITTED_WITHIN).saturating_duration_since(Instant::now());
        let committed = match self.orgs.submit(who.org(), Operation::Commit(commit), patience).await {
            Ok(OperationOutcome::Committed(committed)) => committed,
            Ok(OperationOutcome::Revoked) => return Err(UploadError::Revoked),
            Ok(OperationOutcome::QuotaLowered) => return Err(UploadError::QuotaExceeded),
            Ok(_) => return Err(UploadError::Aborted),
            Err(error) => return Err(UploadError::Unavailable(Outage::database(&error))),
        };
        self.authenticator.forget_backup_request(who);
        if committed.pruned {
            self.purge.notify_one();
        }
        Ok(Backup {
            id: admission.backup,
            system_id: who.id(),
            org_id: who.org().to_string(),
            object_key: admission.object_key,
            filename: admission.filename.as_str().to_owned(),
            mimetype: admission.mimetype.as_str().to_owned(),
            size: receipt.size,
            sha256: receipt.sha256,
            uploaded_at: committed.uploaded_at,
            damage: None,
        })
    }

    /// Streams the body into the store. Gives what was received, and when its last byte came.
    async fn store_body(
        &self,
        admission: &Admission,
        intake: Intake,
    ) -> Result<(BodySummary, Instant), UploadError> {
        let length = intake.length;
        let about = ObjectMetadata {
            filename: admission.filename.as_str().to_owned(),
            mimetype: admission.mimetype.as_str().to_owned(),
            system_id: admission.system_id,
            sha256: None,
        };
        let (body, Progress { mut received, watchdog }) = intake.into_body();
        let mut put = pin!(self.store.put(&admission.object_key, length, &about, body));
        let mut stored = None;
        let received = loop {
            tokio::select! {
                biased;
                // Closed when the store let go of the body: then its own answer says why, and counts below.
                told = &mut received => break told.unwrap_or(Err(UploadError::Interrupted)),
                result = &mut put, if stored.is_none() => match result {
                    // The store gave up before the end of the body.
                    Err(error @ PutError::Store(_)) => return Err(error.into()),
                    result => stored = Some(result),
                },
                () = watchdog.expired(STORE_STALL) => return Err(broken(&"it takes nothing")),
            }
        };
        // After a failed body, too, the store is waited for: it cleans up before it answers.
        let last_byte = received.as_ref().map_or_else(|_| Instant::now(), |(_, at)| *at);
        let stored = match stored {
            Some(result) => Ok(result),
            None => timeout_at(last_byte + STORED_WITHIN, &mut put).await,
        };
        // If the store gave up, that is why the body was not received, and not the other way round.
        if let Ok(Err(error @ PutError::Store(_))) = stored {
            return Err(error.into());
        }
        let (receipt, _) = received?;
        match stored {
            Ok(Ok(size)) if size == receipt.size => Ok((receipt, last_byte)),
            Ok(Ok(size)) => Err(broken(&format!("it kept {size} of {} bytes", receipt.size))),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(broken(&"it did not finish in time")),
        }
    }

    /// Counts a refusal, and has it written to the history.
    fn note_refusal(&self, who: &SystemIdentity, error: &UploadError, remote_addr: Option<IpAddr>) {
        if let Some(reason) = error.refusal_reason() {
            self.metrics.refused(reason);
            self.orgs.record_refusal(who.org(), RefusedUpload { system_id: who.id(), reason, remote_addr });
        }
    }
}

/// An error of the store's that the store itself did not report.
fn broken(cause: &impl ToString) -> UploadError {
    UploadError::Unavailable(Outage::store(cause))
}

/// Where an upload comes from, for the log.
fn from(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "from an unknown address".to_owned(), |address| format!("from {address}"))
}
