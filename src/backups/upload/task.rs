//! The task that owns an upload: it is admitted, its body is received, and it is committed or aborted.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::at_once::AtOnceOutcome;
use super::body_channel::BodyMessages;
use super::body_receiver::BodyReceiver;
use super::reservation::Reservation;
use super::{Answers, COMMIT_TIMEOUT};
use crate::auth::basic::SystemIdentity;
use crate::backups::error::Outage;
use crate::backups::{Backup, UploadError, UploadHead, Vault};
use crate::db::accounting::{Admission, Commit, Committed, Operation, OperationOutcome, UploadFailure};
use crate::domain::transfer_damage::TransferDamageCheck;
use crate::store::BodySummary;

impl Vault {
    pub(super) async fn run_upload(
        self: Arc<Self>,
        identity: SystemIdentity,
        head: UploadHead,
        sent: std::time::Instant,
        mut messages: BodyMessages,
        mut answers: Answers,
    ) {
        let mut admission = self.admission(&identity, &head);
        if self.may_store_at_once(&identity, &head) {
            answers.accept_body(admission.backup);
            match self.store_at_once(&identity, &head, &admission, &mut messages).await {
                AtOnceOutcome::Done(result) => {
                    match &*result {
                        Ok(_) => {
                            self.authenticator.forget_seen(&identity);
                            self.refused_lately.clear(identity.id(), sent);
                        }
                        Err(error) => self.not_admitted(&identity, error, head.remote_addr, sent),
                    }
                    answers.finish(*result);
                    return;
                }
                AtOnceOutcome::AdmitFirst => {}
                AtOnceOutcome::BeginAnew => admission = self.admission(&identity, &head),
            }
        }
        self.run_admitted(identity, head, admission, sent, messages, answers).await;
    }

    /// Notes that an upload was not admitted.
    fn not_admitted(
        &self,
        identity: &SystemIdentity,
        error: &UploadError,
        remote_addr: Option<IpAddr>,
        sent: std::time::Instant,
    ) {
        self.note_outage(error);
        if let UploadError::Unavailable(_) = error {
            log::error!("an upload of system {} has failed: {error}", identity.id());
        }
        self.record_refusal(identity, error, remote_addr, Some(sent));
        self.authenticator.note_seen(identity, remote_addr);
    }

    fn note_outage(&self, error: &UploadError) {
        if let UploadError::Unavailable(_) = error {
            self.at_once.pause();
        }
    }

    /// Runs an upload that is admitted before its body is stored.
    async fn run_admitted(
        &self,
        identity: SystemIdentity,
        head: UploadHead,
        admission: Admission,
        sent: std::time::Instant,
        messages: BodyMessages,
        mut answers: Answers,
    ) {
        let remote_addr = head.remote_addr;
        let (backup, key) = (admission.backup, admission.object_key.clone());
        let reservation = Reservation::new(
            identity.org().clone(),
            identity.id(),
            backup.uuid(),
            key,
            self.aborter.clone(),
            self.live.clone(),
        );
        let granted = match self.admit(&identity, &admission, head.length).await {
            Ok(granted) => granted,
            Err(error) => {
                self.not_admitted(&identity, &error, remote_addr, sent);
                if let UploadError::Unavailable(_) = error {
                    // The upload may have been admitted, so it is aborted.
                    let failure = self.failure(&identity, &error, &AtomicU64::default());
                    reservation.abort(&error, failure).await;
                } else {
                    reservation.disarm();
                }
                answers.finish(Err(error));
                return;
            }
        };
        fail_point!("upload.admitted");
        answers.accept_body(backup);
        // The admission has recorded it.
        self.authenticator.forget_seen(&identity);
        let bytes_received = Arc::<AtomicU64>::default();
        let receiver = BodyReceiver {
            messages,
            limits: self.limits.clone(),
            length: head.length,
            digests: head.digests,
            damage: head.lossy_client.map(TransferDamageCheck::new),
            granted,
            backup,
            system_id: identity.id(),
            org: identity.org().clone(),
            orgs: self.orgs.clone(),
            received: Arc::clone(&bytes_received),
        };
        let result = self.receive_and_commit(&identity, admission, receiver).await;
        match &result {
            Ok(_) => {
                reservation.disarm();
                self.refused_lately.clear(identity.id(), sent);
            }
            Err(error) => {
                self.note_outage(error);
                self.note_refused_lately(&identity, error, sent);
                self.record_refusal(&identity, error, remote_addr, None);
                let level = if error.is_ours() { log::Level::Error } else { log::Level::Info };
                let client = describe_client(remote_addr);
                log::log!(
                    level,
                    "upload {backup} of system {} {client} was not stored: {error}",
                    identity.id()
                );
                let failure = self.failure(&identity, error, &bytes_received);
                reservation.abort(error, failure).await;
            }
        }
        answers.finish(result);
    }

    /// Returns what the history records of an upload that failed; `None` if that is a refusal, or was recorded within the last
    /// minute.
    fn failure(
        &self,
        identity: &SystemIdentity,
        error: &UploadError,
        received: &AtomicU64,
    ) -> Option<UploadFailure> {
        let reason = error.failure_reason()?;
        let received = Some(received.load(Ordering::Relaxed));
        self.failed_uploads.permits((identity.id(), reason)).then_some(UploadFailure { reason, received })
    }

    async fn receive_and_commit(
        &self,
        identity: &SystemIdentity,
        admission: Admission,
        receiver: BodyReceiver,
    ) -> Result<Backup, UploadError> {
        let (body, last_byte) = self.store_body(&admission, receiver).await?;
        fail_point!("upload.stored");
        let commit = Commit {
            system_id: identity.id(),
            backup: admission.backup,
            size: body.size,
            sha256: body.sha256,
            encrypted: body.encrypted,
        };
        let timeout = (last_byte + COMMIT_TIMEOUT).saturating_duration_since(Instant::now());
        let committed = match self.orgs.submit(identity.org(), Operation::Commit(commit), timeout).await {
            Ok(OperationOutcome::Committed(committed)) => committed,
            Ok(OperationOutcome::Revoked) => return Err(UploadError::Revoked),
            Ok(OperationOutcome::QuotaLowered) => return Err(UploadError::QuotaExceeded),
            Ok(OperationOutcome::NotUnderWay) => return Err(UploadError::Aborted),
            Ok(other) => {
                return Err(UploadError::Unavailable(Outage::unexpected_outcome("a commit", &other)));
            }
            Err(error) => return Err(UploadError::Unavailable(Outage::database(&error))),
        };
        Ok(self.stored(identity, admission, &body, committed))
    }

    /// Returns the backup that an upload has become.
    pub(super) fn stored(
        &self,
        identity: &SystemIdentity,
        admission: Admission,
        body: &BodySummary,
        committed: Committed,
    ) -> Backup {
        self.at_once.resume();
        self.authenticator.forget_backup_request(identity);
        if committed.pruned {
            self.purge.notify_one();
        }
        Backup {
            id: admission.backup,
            system_id: identity.id(),
            org_id: identity.org().to_string(),
            object_key: admission.object_key,
            filename: admission.filename.as_str().to_owned(),
            mimetype: admission.mimetype.as_str().to_owned(),
            size: body.size,
            sha256: body.sha256,
            uploaded_at: committed.uploaded_at,
            damage: None,
        }
    }
}

/// Returns the client's address, for the log.
fn describe_client(remote_addr: Option<IpAddr>) -> String {
    remote_addr.map_or_else(|| "from an unknown address".to_owned(), |address| format!("from {address}"))
}
