//! An upload, from its admission on. A detached task owns it: the HTTP framework drops a handler
//! at any await when the peer resets, and what was admitted must be finished or taken back.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, timeout_at};

use super::error::Outage;
use super::feed::{Feed, Part};
use super::intake::{Intake, STEP, Watch};
use super::reservation::Reservation;
use super::{SystemIdentity, UploadError, Vault};
use crate::db::accounting::{Admission, Commit, Operation, Outcome, Refusal};
use crate::db::backups::StoredRow as Backup;
use crate::domain::filename::Filename;
use crate::domain::ids::{BackupId, Extension};
use crate::domain::media_type::MediaType;
use crate::domain::object_key::ObjectKey;
use crate::store::{ObjectFacts, PutError, Receipt};

/// What is known of an upload before its body.
#[derive(Debug, Clone)]
pub struct UploadRequest {
    pub filename: Option<Filename>,
    pub mimetype: MediaType,
    /// Declared length in bytes; `None`: chunked.
    pub length: Option<u64>,
    /// SHA-256 digests that the client sent along.
    pub digests: Vec<[u8; 32]>,
    pub remote_addr: Option<IpAddr>,
}

/// The handler's end of an upload that was let in.
pub struct UploadHandle {
    pub feed: Feed,
    pub outcome: oneshot::Receiver<Result<Backup, UploadError>>,
}

/// An admission waits this long for a database that can't be asked: a needless 503 may cost a
/// day.
pub(super) const ADMISSION_PATIENCE: Duration = Duration::from_secs(5);
/// Longest time without the store taking anything.
const STORE_STALL: Duration = Duration::from_secs(15);
/// The client has its answer within 30 s of its last byte; this much of it the store may take.
const STORE_AFTER_LAST_BYTE: Duration = Duration::from_secs(18);
const ANSWER_AFTER_LAST_BYTE: Duration = Duration::from_secs(22);

impl Vault {
    /// Asks for an upload to be let in. From here on it is owned by a task of its own.
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

    async fn let_in(
        self: &Arc<Self>,
        who: &SystemIdentity,
        request: UploadRequest,
    ) -> Result<UploadHandle, UploadError> {
        let max_bytes = self.limits.max_upload;
        if request.length.is_some_and(|length| length > max_bytes) {
            return Err(UploadError::TooLarge { max_bytes });
        }
        if let Some(retry_after_seconds) = self.rate.check(who.id(), who.window_epoch()).await {
            return Err(UploadError::RateLimited { retry_after_seconds });
        }
        fail_point!("upload.authenticated");
        let (feed, received) = Feed::new();
        let (outcome_tx, outcome) = oneshot::channel();
        let (admitted_tx, admitted) = oneshot::channel();
        let (vault, who) = (Arc::clone(self), who.clone());
        let task = async move { vault.own_upload(who, request, received, admitted_tx, outcome_tx).await };
        self.tasks.spawn_on(task, &self.engine);
        match admitted.await {
            Ok(Ok(())) => Ok(UploadHandle { feed, outcome }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(UploadError::TakenBack),
        }
    }

    async fn own_upload(
        self: Arc<Self>,
        who: SystemIdentity,
        request: UploadRequest,
        parts: mpsc::Receiver<Part>,
        admitted: oneshot::Sender<Result<(), UploadError>>,
        outcome: oneshot::Sender<Result<Backup, UploadError>>,
    ) {
        let admission = self.admission(&who, &request);
        let (backup, key) = (admission.backup, admission.object_key.clone());
        let reservation = Reservation::new(
            who.org().clone(),
            who.id(),
            backup.uuid(),
            key,
            self.undo.clone(),
            self.live.clone(),
        );
        let granted = match self.admit(&who, &admission, request.length).await {
            Ok(granted) => granted,
            Err(error @ UploadError::Unavailable(_)) => {
                // Whether it was let in is not known.
                log::error!("upload {backup} of system {} was not let in: {error}", who.id());
                reservation.take_back(true).await;
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
        // If nobody listens any more, the parts end without `End` and the upload is taken back.
        let _ = admitted.send(Ok(()));
        let remote_addr = request.remote_addr;
        let intake = Intake {
            parts,
            limits: self.limits.clone(),
            length: request.length,
            digests: request.digests,
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
                log::log!(level, "upload {backup} of system {} was not stored: {error}", who.id());
                reservation.take_back(error.is_ours()).await;
            }
        }
        let _ = outcome.send(result);
    }

    fn admission(&self, who: &SystemIdentity, request: &UploadRequest) -> Admission {
        let extension = request.filename.as_ref().map_or(Extension::Bin, Filename::ext);
        let backup = BackupId::new(self.new_ids.next(), extension);
        Admission {
            system_id: who.id(),
            backup,
            object_key: ObjectKey::new(who.org(), who.key(), backup),
            filename: request
                .filename
                .clone()
                .unwrap_or_else(|| Filename::default_for(backup.uuid(), extension)),
            mimetype: request.mimetype.clone(),
            remote_addr: request.remote_addr,
            want: request.length.unwrap_or(STEP.min(self.limits.max_upload)),
        }
    }

    /// Gives the bytes granted. Of a body of unknown length a first step is asked for, and if that
    /// does not fit a single byte: whether there is room for more is seen as it comes.
    async fn admit(
        &self,
        who: &SystemIdentity,
        admission: &Admission,
        length: Option<u64>,
    ) -> Result<u64, UploadError> {
        match self.try_admit(who, admission).await {
            Err(UploadError::QuotaExceeded) if length.is_none() => {
                let least = Admission { want: 1, ..admission.clone() };
                self.try_admit(who, &least).await
            }
            result => result,
        }
    }

    async fn try_admit(&self, who: &SystemIdentity, admission: &Admission) -> Result<u64, UploadError> {
        let asked = Instant::now();
        let operation = Operation::Admit(Box::new(admission.clone()));
        match self.orgs.submit(who.org(), operation, ADMISSION_PATIENCE).await {
            Ok(Outcome::Admitted) => Ok(admission.want),
            Ok(Outcome::RateLimited { retry_after_seconds }) => {
                self.rate.refused(who.id(), who.window_epoch(), asked, retry_after_seconds);
                Err(UploadError::RateLimited { retry_after_seconds })
            }
            Ok(Outcome::TooManyOpen) => Err(UploadError::TooManyOpen),
            Ok(Outcome::QuotaExceeded { .. }) => Err(UploadError::QuotaExceeded),
            Ok(_) => Err(UploadError::Revoked),
            Err(error) => Err(UploadError::Unavailable(Outage::database(&error))),
        }
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
        let patience = (last_byte + ANSWER_AFTER_LAST_BYTE).saturating_duration_since(time::Instant::now());
        let committed = match self.orgs.submit(who.org(), Operation::Commit(commit), patience).await {
            Ok(Outcome::Committed(committed)) => committed,
            Ok(Outcome::Revoked) => return Err(UploadError::Revoked),
            Ok(Outcome::QuotaLowered) => return Err(UploadError::QuotaExceeded),
            Ok(_) => return Err(UploadError::TakenBack),
            Err(error) => return Err(UploadError::Unavailable(Outage::database(&error))),
        };
        self.authenticator.forget_requested(who);
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

    /// Streams the body into the store. Gives what was received, and when its last byte was.
    async fn store_body(
        &self,
        admission: &Admission,
        intake: Intake,
    ) -> Result<(Receipt, time::Instant), UploadError> {
        let length = intake.length;
        let about = ObjectFacts {
            filename: admission.filename.as_str().to_owned(),
            mimetype: admission.mimetype.as_str().to_owned(),
            system_id: admission.system_id,
            sha256: None,
        };
        let (body, watch) = intake.into_body();
        let Watch { mut received, turn } = watch;
        let mut put = pin!(self.store.put(&admission.object_key, length, &about, body));
        let mut stored = None;
        let received = loop {
            tokio::select! {
                biased;
                // A store that let go of the body has said why.
                told = &mut received => break told.unwrap_or(Err(UploadError::Interrupted)),
                result = &mut put, if stored.is_none() => match result {
                    // A store that gives up before the body's end has the word.
                    Err(error @ PutError::Store(_)) => return Err(error.into()),
                    result => stored = Some(result),
                },
                () = turn.missed(STORE_STALL) => return Err(broken(&"it takes nothing")),
            }
        };
        // Also after a failed body: the store ends its own clean-up first.
        let last_byte = received.as_ref().map_or_else(|_| time::Instant::now(), |(_, at)| *at);
        let stored = match stored {
            Some(result) => Ok(result),
            None => timeout_at(last_byte + STORE_AFTER_LAST_BYTE, &mut put).await,
        };
        // A store that gave up is why nobody took the rest of the body.
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

    fn note_refusal(&self, who: &SystemIdentity, error: &UploadError, remote_addr: Option<IpAddr>) {
        if let Some(reason) = error.refusal_reason() {
            self.metrics.refused(reason);
            self.orgs.note_refusal(who.org(), Refusal { system_id: who.id(), reason, remote_addr });
        }
    }
}

fn broken(cause: &impl ToString) -> UploadError {
    UploadError::Unavailable(Outage::store(cause))
}
