//! Aborts uploads that failed or were dropped: retires the row first, and deletes the object after it.
//!
//! An abort does not run where the upload is dropped, because a future that is being dropped can't wait. It goes through
//! an unbounded queue to a task on the runtime of the uploads. If the process dies before that, a sweeper does the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::live::LiveUploads;
use crate::actors::OrgActors;
use crate::db::accounting::{Abort, Operation, OperationOutcome};
use crate::domain::ids::OrgId;
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

/// An upload that has to be aborted.
#[derive(Debug)]
pub(super) struct PendingAbort {
    pub org: OrgId,
    pub key: ObjectKey,
    pub abort: Abort,
    /// Sent when the abort is over.
    pub done: Option<oneshot::Sender<()>>,
}

/// Sends uploads to the task that aborts them; cheap to clone.
#[derive(Clone)]
pub struct AbortQueue(mpsc::UnboundedSender<PendingAbort>);

/// The longest wait for the database before a warning is logged and the abort is tried again; and the longest wait for
/// the deletion of the object.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

impl AbortQueue {
    /// Returns a queue, and its consumer, which has to be spawned on `runtime`.
    pub fn new(
        orgs: OrgActors,
        store: Arc<dyn BlobStore>,
        live: LiveUploads,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, mut pending) = mpsc::unbounded_channel::<PendingAbort>();
        let consumer = async move {
            while let Some(pending) = pending.recv().await {
                let (orgs, store, live) = (orgs.clone(), Arc::clone(&store), live.clone());
                let task = async move {
                    let id = pending.abort.backup;
                    abort(pending, &orgs, store.as_ref()).await;
                    live.remove(id);
                };
                tasks.spawn_on(task, &runtime);
            }
        };
        (Self(sender), consumer)
    }

    pub(super) fn send(&self, pending: PendingAbort) {
        if let Err(error) = self.0.send(pending) {
            let id = error.0.abort.backup;
            log::error!("abort failed upload {id}: the abort queue has ended; left to the sweeper");
        }
    }
}

async fn abort(pending: PendingAbort, orgs: &OrgActors, store: &dyn BlobStore) {
    let id = pending.abort.backup;
    let outcome = loop {
        let operation = Operation::Abort(pending.abort.clone());
        match orgs.submit(&pending.org, operation, ATTEMPT_TIMEOUT).await {
            Ok(outcome) => break Some(outcome),
            Err(error) if error.is_passing() => {
                log::warn!("abort failed upload {id}: {error}; trying again");
                sleep(RETRY_PAUSE).await;
            }
            Err(error) => {
                log::error!("abort failed upload {id}: {error}; left to the sweeper");
                break None;
            }
        }
    };
    // Only a retired backup may lose its object: a commit may have won after all.
    if outcome == Some(OperationOutcome::Aborted) {
        fail_point!("abort.retired");
        match timeout(ATTEMPT_TIMEOUT, store.delete(&pending.key)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                log::warn!("delete the object of failed upload {id}: {error}; left to the purger");
            }
            Err(_) => log::warn!("delete the object of failed upload {id}: no answer; left to the purger"),
        }
    }
    if let Some(done) = pending.done {
        let _ = done.send(());
    }
}
