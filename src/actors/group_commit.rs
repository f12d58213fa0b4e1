//! Runs the transactions that organizations share (group commit).
//!
//! A commit costs the disk about the same for one organization as for twenty, and each transaction costs the processor something, too.
//! So while a shared transaction is under way, new batches wait, and then run together in the next one. Only if they have waited
//! for long ([`SLOW`]: a lost connection, a busy disk) a second one runs beside it. A shared transaction never waits for a row that another
//! transaction has locked: it skips the organization. The skipped organization is tried again in the next shared transaction,
//! or it runs alone. An organization that runs alone may wait for locks, and delays only others that run alone. If a shared
//! transaction fails, and any one of its organizations may be the cause, each of them has to run alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::db::accounting::{self, AccountingPolicy, Operation, OperationOutcome, OrgBatch};
use crate::db::{Conn, Db, DbError, Lane};
use crate::telemetry::{Metrics, TaskFailure, TaskStatus};

/// The most shared transactions at a time.
const SHARED_AT_ONCE: usize = 2;
/// After this time a batch no longer waits for the transaction that is under way: it may hang. It is longer than a large batch takes:
/// of two smaller transactions at a time each upload would cost a sixth more processor time.
const SLOW: Duration = Duration::from_millis(50);
/// The most operations of a shared transaction. The batch of a single organization may have as many.
const MAX_OPERATIONS: usize = 64;
/// The number of transactions of single organizations at a time. If all of them wait for locks, the shared transactions still
/// have connections.
const ALONE_AT_ONCE: usize = Lane::Accounting.connections() as usize - SHARED_AT_ONCE;
/// A batch is not started any more when its deadline is over by more than this.
const MAX_OVERDUE: Duration = Duration::from_millis(500);

/// The outcomes of each batch in a transaction; `None`: the batch was skipped.
type Outcomes = Vec<Option<Vec<OperationOutcome>>>;

/// The outcome of an organization's batch. `maybe_committed`: an attempt failed, but may have been committed.
pub(super) enum BatchOutcome {
    Done(Vec<OperationOutcome>),
    /// Another transaction has locked or removed rows of the organization.
    Skipped {
        maybe_committed: bool,
    },
    /// The shared transaction failed, and this organization may be the cause.
    MustRunAlone {
        maybe_committed: bool,
    },
    Failed {
        error: DbError,
        maybe_committed: bool,
    },
}

/// Runs the batches of organizations; cheap to clone.
#[derive(Clone)]
pub(super) struct GroupCommit {
    db: Db,
    policy: AccountingPolicy,
    metrics: Metrics,
    waiting: Arc<Mutex<VecDeque<WaitingBatch>>>,
    /// The permit for the shared transactions that batches wait for.
    first: Arc<Semaphore>,
    /// The permit for shared transactions beside a slow one.
    second: Arc<Semaphore>,
    /// The status of [`run_until_empty`](Self::run_until_empty).
    status: TaskStatus,
    /// Permits for [`ALONE_AT_ONCE`] transactions of single organizations.
    alone: Arc<Semaphore>,
}

/// A batch that waits for a shared transaction.
struct WaitingBatch {
    batch: OrgBatch,
    /// The time until which a failed attempt is repeated.
    deadline: Instant,
    reply: oneshot::Sender<BatchOutcome>,
}

impl WaitingBatch {
    /// Returns how many of the [`MAX_OPERATIONS`] the batch uses: a refused upload counts, because it is a row, too.
    fn size(&self) -> usize {
        self.batch.operations.len() + self.batch.refusals.len()
    }

    /// Sends the outcome to the actor. The actor may be gone; the accounting is right either way.
    fn answer(self, outcome: BatchOutcome) {
        let _ = self.reply.send(outcome);
    }
}

impl GroupCommit {
    pub fn new(db: Db, policy: AccountingPolicy, metrics: Metrics) -> Self {
        let status = metrics.tasks.register("group_commit", None);
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (first, second) = (semaphore(1), semaphore(SHARED_AT_ONCE - 1));
        let alone = semaphore(ALONE_AT_ONCE);
        Self { db, policy, metrics, waiting: Arc::default(), first, second, status, alone }
    }

    /// Runs the batch in a transaction together with the batches of other organizations.
    pub async fn run_shared(&self, batch: OrgBatch, retry_for: Duration) -> BatchOutcome {
        let (reply, mut outcome) = oneshot::channel();
        let batch = WaitingBatch { batch, deadline: Instant::now() + retry_for, reply };
        let permit = {
            let mut waiting = self.lock();
            waiting.push_back(batch);
            // The queue is locked here, and also when a holder finds it empty and releases its permit. So a batch can't be
            // left in the queue without a holder.
            Arc::clone(&self.first).try_acquire_owned()
        };
        if let Ok(permit) = permit {
            tokio::spawn(self.clone().run_until_empty(permit));
        }
        let lost = |_| BatchOutcome::Failed { error: DbError::Busy, maybe_committed: true };
        loop {
            if let Ok(outcome) = timeout(SLOW, &mut outcome).await {
                return outcome.unwrap_or_else(lost);
            }
            if let Ok(permit) = Arc::clone(&self.second).try_acquire_owned() {
                tokio::spawn(self.clone().run_once(permit));
            }
        }
    }

    /// Runs the batch in a transaction of its own, which waits for rows that other transactions have locked.
    pub async fn run_alone(&self, batch: OrgBatch, retry_for: Duration) -> BatchOutcome {
        let run = |conn: &mut _, policy: &_, batches: &[OrgBatch]| {
            batches.iter().map(|batch| accounting::run(conn, policy, batch).map(Some)).collect()
        };
        let deadline = Instant::now() + retry_for;
        let Ok(Ok(_permit)) = timeout(retry_for, self.alone.acquire()).await else {
            return BatchOutcome::Failed { error: DbError::Busy, maybe_committed: false };
        };
        let retry_for = deadline.saturating_duration_since(Instant::now());
        let (result, maybe_committed) = self.transaction(vec![batch], retry_for, run).await;
        match result {
            Ok(outcomes) => BatchOutcome::Done(outcomes.into_iter().flatten().flatten().collect()),
            Err(error) => BatchOutcome::Failed { error, maybe_committed },
        }
    }

    /// Runs one shared transaction after the other until no batch waits. A panic drops the replies of the transaction's
    /// batches, so [`run_shared`](Self::run_shared) returns an error for them. The batches that wait are run at once.
    async fn run_until_empty(self, permit: OwnedSemaphorePermit) {
        let mut permit = Some(permit);
        // Only a transaction counts as a run: an empty queue says nothing about whether the next one works.
        while let Some(group) = self.next_group(&mut permit) {
            let _ = self.status.run(self.run_group(group)).await;
        }
    }

    /// Runs one shared transaction with what waits. What comes later waits for the first permit, or for [`SLOW`].
    async fn run_once(self, permit: OwnedSemaphorePermit) {
        let mut permit = Some(permit);
        if let Some(group) = self.next_group(&mut permit) {
            let _ = self.status.run(self.run_group(group)).await;
        }
    }

    /// Runs the batches in one transaction, and answers each. The failure of a transaction is no failure of the task.
    async fn run_group(&self, group: Vec<WaitingBatch>) -> Result<(), TaskFailure> {
        fail_point!("group_commit.taken");
        // The latest deadline counts. An actor itself answers operations with an earlier deadline in time.
        let left = group.iter().map(|waiting| waiting.deadline.saturating_duration_since(Instant::now()));
        let retry_for = left.max().unwrap_or_default();
        let batches = group.iter().map(|waiting| waiting.batch.clone()).collect();
        let (result, maybe_committed) = self.transaction(batches, retry_for, accounting::run_shared).await;
        match result {
            Ok(outcomes) => {
                let skipped = || BatchOutcome::Skipped { maybe_committed };
                for (waiting, outcomes) in group.into_iter().zip(outcomes) {
                    waiting.answer(outcomes.map_or_else(skipped, BatchOutcome::Done));
                }
            }
            Err(error @ (DbError::Unavailable(_) | DbError::OutcomeUnknown(_) | DbError::Busy)) => {
                for waiting in group {
                    waiting.answer(BatchOutcome::Failed { error: error.clone(), maybe_committed });
                }
            }
            // Any one of the organizations may be the cause.
            Err(_) => {
                for waiting in group {
                    waiting.answer(BatchOutcome::MustRunAlone { maybe_committed });
                }
            }
        }
        Ok(())
    }

    /// Removes the batches of the next transaction from the queue. If there are none, releases the permit and returns `None`.
    fn next_group(&self, permit: &mut Option<OwnedSemaphorePermit>) -> Option<Vec<WaitingBatch>> {
        let mut queue = self.lock();
        let now = Instant::now();
        let (mut group, mut size) = (vec![], 0);
        while let Some(waiting) = queue.pop_front() {
            if waiting.deadline + MAX_OVERDUE < now {
                waiting.answer(BatchOutcome::Failed { error: DbError::Busy, maybe_committed: false });
                continue;
            }
            size += waiting.size();
            if size > MAX_OPERATIONS && !group.is_empty() {
                queue.push_front(waiting);
                break;
            }
            group.push(waiting);
        }
        if group.is_empty() {
            permit.take();
            return None;
        }
        Some(group)
    }

    /// Runs a transaction, and repeats it after a transient error. Returns the outcomes of each batch, and whether a failed
    /// attempt may have been committed.
    async fn transaction(
        &self,
        mut batches: Vec<OrgBatch>,
        retry_for: Duration,
        run: impl Fn(&mut Conn, &AccountingPolicy, &[OrgBatch]) -> Result<Outcomes, DbError> + Send + 'static,
    ) -> (Result<Outcomes, DbError>, bool) {
        let maybe_committed = Arc::new(AtomicBool::new(false));
        let (unknown_outcome, policy) = (Arc::clone(&maybe_committed), self.policy.clone());
        let operations = batches.iter().map(|batch| batch.operations.len()).sum();
        let work = move |conn: &mut _| {
            let result = run(conn, &policy, &batches);
            if matches!(result, Err(DbError::OutcomeUnknown(_))) {
                batches.iter_mut().flat_map(|batch| &mut batch.operations).for_each(mark_attempted);
                unknown_outcome.store(true, Ordering::Relaxed);
            }
            result
        };
        let started = Instant::now();
        let result = self.db.run(Lane::Accounting, retry_for, work).await;
        let (items, ending) = match &result {
            Ok(outcomes) if outcomes.iter().all(Option::is_none) => (0, "left_out"),
            Ok(outcomes) => (outcomes.iter().flatten().map(Vec::len).sum(), "done"),
            Err(_) => (operations, "failed"),
        };
        self.metrics.batch(items, started.elapsed(), ending);
        let maybe_committed =
            maybe_committed.load(Ordering::Relaxed) || matches!(result, Err(DbError::OutcomeUnknown(_)));
        (result, maybe_committed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<WaitingBatch>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks an operation whose next attempt can't tell from the rows alone whether an earlier attempt was committed. A deletion that
/// does not find the backup has deleted it. An upload that was stored in one step may be gone again.
pub(super) fn mark_attempted(operation: &mut Operation) {
    match operation {
        Operation::Delete(delete) => delete.attempted_before = true,
        Operation::Store(store) => store.attempted_before = true,
        Operation::Admit(_) | Operation::Grow(_) | Operation::Commit(_) | Operation::Abort(_) => {}
    }
}
