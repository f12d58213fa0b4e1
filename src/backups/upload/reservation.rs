//! `Reservation`: an upload's bytes in the organization's totals. Dropping it aborts the upload.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::aborter::{Aborter, PendingAbort};
use super::live::LiveUploads;
use crate::backups::UploadError;
use crate::db::accounting::{Abort, UploadFailure};
use crate::domain::failure_reason::FailureReason;
use crate::domain::ids::OrgId;
use crate::domain::object_key::ObjectKey;
use crate::domain::refusal::RefusalReason;

/// The longest time that an answer waits for the abort of its upload. The abort continues after that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The reservation of an upload. Unless it is disarmed, dropping it aborts the upload.
pub(super) struct Reservation {
    pending: Option<PendingAbort>,
    id: Uuid,
    aborter: Aborter,
    live: LiveUploads,
}

impl Reservation {
    /// Returns the reservation of an upload. Make it before the admission is submitted, because the outcome of that may be lost.
    pub fn new(
        org: OrgId,
        system_id: Uuid,
        backup: Uuid,
        key: ObjectKey,
        aborter: Aborter,
        live: LiveUploads,
    ) -> Self {
        live.insert(backup);
        // An upload that is dropped has no result: its task panicked, or the process stops.
        let failure = Some(UploadFailure { reason: FailureReason::Aborted, received: None });
        let refused = Some(RefusalReason::of_failure(FailureReason::Aborted));
        let abort = Abort { system_id, backup, release_rate_slot: false, failure, refused };
        Self { pending: Some(PendingAbort { org, key, abort, done: None }), id: backup, aborter, live }
    }

    /// Ends the reservation without an abort: the upload was refused, or is known to be committed.
    pub fn disarm(mut self) {
        self.pending = None;
        self.live.remove(self.id);
    }

    /// Aborts the upload, and waits a moment for the abort, so that usually nothing is left when the client receives its
    /// answer. `failure`: what is recorded in the history.
    pub async fn abort(mut self, error: &UploadError, failure: Option<UploadFailure>) {
        let Some(mut pending) = self.pending.take() else { return };
        let (done, finished) = oneshot::channel();
        pending.abort.release_rate_slot = error.is_ours();
        pending.abort.failure = failure;
        pending.abort.refused = error.refused();
        pending.done = Some(done);
        self.aborter.start(pending);
        let _ = timeout(ANSWER_TIMEOUT, finished).await;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.aborter.start(pending);
        }
    }
}
