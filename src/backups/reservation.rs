//! What an upload holds until it is committed, as a type that gives it back when it is dropped.
//!
//! The undo does not run where the drop happens, because a future that is being dropped can't wait. It goes through an
//! unbounded queue to a task on the runtime, which takes back the row first and the object after it. If the
//! process dies before that, a sweeper does the same.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::actors::OrgQuotas;
use crate::db::accounting::{Abort, Operation, Outcome};
use crate::domain::ids::OrgId;
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

/// The uploads that this process knows to be under way; the sweeper leaves them alone.
#[derive(Clone, Default)]
pub struct LiveUploads(Arc<Mutex<HashSet<Uuid>>>);

impl LiveUploads {
    pub fn ids(&self) -> Vec<Uuid> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload that has to be taken back.
#[derive(Debug)]
struct Undo {
    org: OrgId,
    key: ObjectKey,
    abort: Abort,
    done: Option<oneshot::Sender<()>>,
}

/// The way to the task that takes uploads back; cheap to clone.
#[derive(Clone)]
pub struct UndoQueue(mpsc::UnboundedSender<Undo>);

/// How long an answer waits for its upload to be taken back. After that it is taken back all the same.
const ANSWER_WAITS: Duration = Duration::from_secs(3);
/// How long the database is tried before a warning is logged, and it is tried again.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

impl UndoQueue {
    /// A queue, and the consumer to be spawned on the runtime.
    pub fn new(
        orgs: OrgQuotas,
        store: Arc<dyn BlobStore>,
        live: LiveUploads,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, mut undos) = mpsc::unbounded_channel::<Undo>();
        let consumer = async move {
            while let Some(undo) = undos.recv().await {
                let (orgs, store, live) = (orgs.clone(), Arc::clone(&store), live.clone());
                let task = async move {
                    let id = undo.abort.backup;
                    take_back(undo, &orgs, store.as_ref()).await;
                    live.lock().remove(&id);
                };
                tasks.spawn_on(task, &runtime);
            }
        };
        (Self(sender), consumer)
    }
}

async fn take_back(undo: Undo, orgs: &OrgQuotas, store: &dyn BlobStore) {
    let id = undo.abort.backup;
    let outcome = loop {
        match orgs.submit(&undo.org, Operation::Abort(undo.abort.clone()), PATIENCE).await {
            Ok(outcome) => break Some(outcome),
            Err(error) if error.is_passing() => {
                log::warn!("take failed upload {id} back: {error}; trying again");
                sleep(PAUSE).await;
            }
            Err(error) => {
                log::error!("take failed upload {id} back: {error}; left to the sweeper");
                break None;
            }
        }
    };
    // Only a retired backup may lose its object: a commit may have won after all.
    if outcome == Some(Outcome::Aborted) {
        fail_point!("undo.retired");
        match timeout(PATIENCE, store.delete(&undo.key)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::warn!("delete failed upload {id}: {error}; tried again with its row"),
            Err(_) => log::warn!("delete failed upload {id}: no answer; tried again with its row"),
        }
    }
    if let Some(done) = undo.done {
        let _ = done.send(());
    }
}

/// Holds what an upload has in the books. Unless it is disarmed, dropping it takes the upload back.
pub struct Reservation {
    undo: Option<Undo>,
    id: Uuid,
    queue: UndoQueue,
    live: LiveUploads,
}

impl Reservation {
    /// To be made before the admission is asked for, because the answer to that may be lost.
    pub fn new(
        org: OrgId,
        system_id: Uuid,
        backup: Uuid,
        key: ObjectKey,
        queue: UndoQueue,
        live: LiveUploads,
    ) -> Self {
        live.lock().insert(backup);
        let abort = Abort { system_id, backup, give_back_slot: false };
        Self { undo: Some(Undo { org, key, abort, done: None }), id: backup, queue, live }
    }

    /// The upload holds nothing: it was refused, or its commit is known to be done.
    pub fn disarm(mut self) {
        self.undo = None;
        self.live.lock().remove(&self.id);
    }

    /// Takes the upload back, and waits a moment for that, so that nothing is left when the client has its answer.
    /// `give_back_slot`: whether the upload shall not count for the rate limit.
    pub async fn take_back(mut self, give_back_slot: bool) {
        let Some(mut undo) = self.undo.take() else { return };
        let (done, finished) = oneshot::channel();
        undo.abort.give_back_slot = give_back_slot;
        undo.done = Some(done);
        self.send(undo);
        let _ = timeout(ANSWER_WAITS, finished).await;
    }

    fn send(&self, undo: Undo) {
        if let Err(error) = self.queue.0.send(undo) {
            log::error!(
                "take failed upload {} back: nobody is there to do it; left to the sweeper",
                error.0.abort.backup
            );
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(undo) = self.undo.take() {
            self.send(undo);
        }
    }
}
