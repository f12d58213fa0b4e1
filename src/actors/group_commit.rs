//! Transactions that organizations share.
//!
//! A commit costs the disk about the same for one organization as for twenty. While the permitted number of shared
//! transactions is under way, what arrives waits, and goes together into the next one. A shared transaction never waits for an
//! organization, a system or a backup that another transaction has locked: it skips the organization. That one is tried again
//! in the next, or runs alone, where it may wait for locks and delays only others that run alone. If a shared transaction fails
//! and any one of its organizations may be the cause, each of them has to run alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::db::accounting::{self, AccountingPolicy, Operation, OperationOutcome, OrgBatch};
use crate::db::{CONNECTIONS_PER_LANE, Conn, Db, DbError, Lane};
use crate::telemetry::{Metrics, TaskStatus};

/// Shared transactions under way at a time: while one waits for the disk, the next one is decided.
const SHARED_AT_ONCE: usize = 2;
/// The most operations of a shared transaction. The batch of a single organization may have as many.
const MAX_OPERATIONS: usize = 64;
/// Transactions of single organizations at a time. If all of them wait for locks, the shared ones still have connections.
const ALONE_AT_ONCE: usize = CONNECTIONS_PER_LANE as usize - SHARED_AT_ONCE;
/// A batch that has waited for longer than this beyond its deadline is not started any more.
const LATE: Duration = Duration::from_millis(500);

/// The outcomes of each batch in a transaction; `None`: the batch was skipped.
type Outcomes = Vec<Option<Vec<OperationOutcome>>>;

/// What has become of an organization's batch. `maybe_committed`: an attempt may have been committed all the same.
pub(super) enum BatchOutcome {
    Done(Vec<OperationOutcome>),
    /// Another transaction has locked rows of the organization, or has removed them.
    Skipped {
        maybe_committed: bool,
    },
    MustRunAlone {
        maybe_committed: bool,
    },
    Failed {
        error: DbError,
        maybe_committed: bool,
    },
}

/// Runs transactions; cheap to clone.
#[derive(Clone)]
pub(super) struct GroupCommit {
    db: Db,
    policy: AccountingPolicy,
    metrics: Metrics,
    waiting: Arc<Mutex<VecDeque<Waiting>>>,
    /// For [`SHARED_AT_ONCE`] transactions.
    shared: Arc<Semaphore>,
    /// Of [`run_until_empty`](Self::run_until_empty).
    status: TaskStatus,
    /// For [`ALONE_AT_ONCE`] transactions.
    alone: Arc<Semaphore>,
}

/// A batch that waits for a shared transaction.
struct Waiting {
    batch: OrgBatch,
    /// Until then a failed attempt is repeated.
    deadline: Instant,
    reply: oneshot::Sender<BatchOutcome>,
}

impl Waiting {
    /// Its part of [`MAX_OPERATIONS`]: a refused upload is a row, too.
    fn size(&self) -> usize {
        self.batch.operations.len() + self.batch.refusals.len()
    }

    /// Answers. The actor may be gone; the accounting is right either way.
    fn answer(self, outcome: BatchOutcome) {
        let _ = self.reply.send(outcome);
    }
}

impl GroupCommit {
    pub fn new(db: Db, policy: AccountingPolicy, metrics: Metrics) -> Self {
        let status = metrics.tasks.register("group_commit", None);
        let of = |permits| Arc::new(Semaphore::new(permits));
        let (shared, alone) = (of(SHARED_AT_ONCE), of(ALONE_AT_ONCE));
        Self { db, policy, metrics, waiting: Arc::default(), shared, status, alone }
    }

    /// Runs the batch in a transaction with those of other organizations.
    pub async fn run_shared(&self, batch: OrgBatch, retry_for: Duration) -> BatchOutcome {
        let (reply, outcome) = oneshot::channel();
        let batch = Waiting { batch, deadline: Instant::now() + retry_for, reply };
        let permit = {
            let mut waiting = self.lock();
            waiting.push_back(batch);
            // With the queue locked: a permit is released only after its holder has seen an empty queue.
            Arc::clone(&self.shared).try_acquire_owned()
        };
        if let Ok(permit) = permit {
            tokio::spawn(self.clone().run_until_empty(permit));
        }
        let lost = |_| BatchOutcome::Failed { error: DbError::Busy, maybe_committed: true };
        outcome.await.unwrap_or_else(lost)
    }

    /// Runs the batch in a transaction of its own, which waits for rows that others have locked.
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

    /// Runs one shared transaction after the other until no batch waits. After a panic [`run_shared`](Self::run_shared)
    /// answers the batches of that transaction, because their replies are dropped. The waiting ones go on at once.
    async fn run_until_empty(self, permit: OwnedSemaphorePermit) {
        let mut permit = Some(permit);
        while permit.is_some() {
            let waiting = async {
                self.run_waiting(&mut permit).await;
                Ok(())
            };
            let _ = self.status.run(waiting).await;
        }
    }

    async fn run_waiting(&self, permit: &mut Option<OwnedSemaphorePermit>) {
        while let Some(group) = self.next_group(permit) {
            fail_point!("group_commit.taken");
            // The longest of all. An actor answers an operation with an earlier deadline in time itself.
            let left = group.iter().map(|waiting| waiting.deadline.saturating_duration_since(Instant::now()));
            let retry_for = left.max().unwrap_or_default();
            let batches = group.iter().map(|waiting| waiting.batch.clone()).collect();
            let (result, maybe_committed) =
                self.transaction(batches, retry_for, accounting::run_shared).await;
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
        }
    }

    /// Removes the next batches from the queue. `None` if it is empty: then the permit is released.
    fn next_group(&self, permit: &mut Option<OwnedSemaphorePermit>) -> Option<Vec<Waiting>> {
        let mut queue = self.lock();
        let now = Instant::now();
        let (mut group, mut size) = (vec![], 0);
        while let Some(waiting) = queue.pop_front() {
            if waiting.deadline + LATE < now {
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

    /// Returns the outcomes of each batch, and whether an attempt may have been committed although it failed.
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

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks a deletion as attempted before: if the next attempt finds nothing, the earlier one has done it.
pub(super) fn mark_attempted(operation: &mut Operation) {
    if let Operation::Delete(delete) = operation {
        delete.attempted_before = true;
    }
}
