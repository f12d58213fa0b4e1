//! Aborts uploads that failed or were dropped: retires the row first, and deletes the object after it.
//!
//! An abort does not run where the upload is dropped, because a future that is being dropped can't wait. Each abort is a task
//! of its own on the runtime of the uploads, and independent of all others. An abort that panics is tried [`ATTEMPTS`] times.
//! After that the sweep aborts the upload: its id leaves [`LiveUploads`] however the task ends, and an upload of this process
//! that is not live is swept. If the process dies before the abort, the sweep of another process aborts the upload.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::live::LiveUploads;
use crate::actors::OrgActors;
use crate::db::accounting::{Abort, Operation, OperationOutcome};
use crate::domain::ids::OrgId;
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;
use crate::telemetry::{MAX_RESTART_DELAY, RunError, TaskStatus, restart_delay};

/// An upload that has to be aborted.
#[derive(Debug)]
pub(super) struct PendingAbort {
    pub org: OrgId,
    pub key: ObjectKey,
    pub abort: Abort,
    /// Sent when the abort is over.
    pub done: Option<oneshot::Sender<()>>,
}

/// Starts the tasks that abort uploads; cheap to clone.
#[derive(Clone)]
pub struct Aborter {
    pub orgs: OrgActors,
    pub store: Arc<dyn BlobStore>,
    pub live: LiveUploads,
    /// The tasks that a shutdown waits for.
    pub tasks: TaskTracker,
    pub runtime: Handle,
    pub status: TaskStatus,
}

/// The longest wait for the database before a warning is logged and the abort is tried again; and the longest wait for
/// the deletion of the object.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often an abort that panics is tried.
const ATTEMPTS: u32 = 3;

impl Aborter {
    pub(super) fn start(&self, pending: PendingAbort) {
        let aborter = self.clone();
        // The guard is made before the task runs: a runtime that has ended drops the task without running it.
        let live = self.live.remove_when_dropped(pending.abort.backup);
        let task = async move {
            aborter.run(&pending).await;
            drop(live);
            if let Some(done) = pending.done {
                let _ = done.send(());
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
    }

    async fn run(&self, pending: &PendingAbort) {
        for attempt in 1..=ATTEMPTS {
            let work = async {
                self.abort(pending).await;
                Ok(())
            };
            let Err(RunError::Panicked(_)) = self.status.run(work).await else { return };
            if attempt < ATTEMPTS {
                sleep(restart_delay(attempt, MAX_RESTART_DELAY)).await;
            }
        }
        self.status.clear();
        let id = pending.abort.backup;
        log::error!(
            "could not abort the failed upload {id}: the abort panicked {ATTEMPTS} times; the sweep will abort it"
        );
    }

    async fn abort(&self, pending: &PendingAbort) {
        let id = pending.abort.backup;
        let outcome = loop {
            let operation = Operation::Abort(pending.abort.clone());
            match self.orgs.submit(&pending.org, operation, ATTEMPT_TIMEOUT).await {
                Ok(outcome) => break Some(outcome),
                Err(error) if error.is_transient() => {
                    log::warn!("could not abort the failed upload {id}: {error}; trying again");
                    sleep(RETRY_PAUSE).await;
                }
                Err(error) => {
                    log::error!("could not abort the failed upload {id}: {error}; the sweep will abort it");
                    break None;
                }
            }
        };
        // Only the object of a retired row may be deleted: the upload may have been committed after all.
        if outcome == Some(OperationOutcome::Aborted) {
            fail_point!("abort.retired");
            match timeout(ATTEMPT_TIMEOUT, self.store.delete(&pending.key)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    log::warn!(
                        "could not delete the object of the failed upload {id}: {error}; the purge will delete it"
                    );
                }
                Err(_) => {
                    let limit = ATTEMPT_TIMEOUT.as_secs();
                    log::warn!(
                        "could not delete the object of the failed upload {id}: the store did not answer within {limit} s; \
                         the purge will delete it"
                    );
                }
            }
        }
    }
}
