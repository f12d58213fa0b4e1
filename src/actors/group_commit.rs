//! Transactions that organizations share.
//!
//! A commit costs the disk about the same for one organization as for twenty. While as many shared
//! transactions are under way as there may be, what arrives waits, and goes together into the next one. Such
//! a transaction never waits for an organization, a system or a backup that somebody else has locked: the
//! organization is left out, and tries the next one, or runs alone, where it may wait for locks and hold up
//! nobody but others that do. All of them are told to run alone if the transaction fails for what may be the
//! fault of one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::db::accounting::{self, AccountingPolicy, Operation, OperationOutcome, OrgBatch};
use crate::db::{CONNECTIONS_PER_LANE, Conn, Db, DbError, Lane};
use crate::telemetry::{Metrics, TaskStatus};

/// Shared transactions under way at a time: while one waits for the disk, the next is decided.
const AT_ONCE: usize = 2;
/// What one of them does at most; a single organization may bring as much alone.
const MAX_OPERATIONS: usize = 64;
/// Transactions alone at a time. They may all wait for locks: the shared ones have their connections all the same.
const ALONE_AT_ONCE: usize = CONNECTIONS_PER_LANE as usize - AT_ONCE;
/// A share that has waited longer than it was given patience for, and this, is not begun any more.
const LATE: Duration = Duration::from_millis(500);

/// What came of each share of a transaction; `None`: it was left out.
type Outcomes = Vec<Option<Vec<OperationOutcome>>>;

/// What came of an organization's share.
pub(super) enum Ended {
    Done(Vec<OperationOutcome>),
    /// Somebody else has locked rows of the organization, or has removed them. `unsure`: an attempt may have been committed.
    LeftOut {
        unsure: bool,
    },
    /// The share has to run alone. `unsure` as above.
    Apart {
        unsure: bool,
    },
    /// `unsure`: all the same it may have been committed.
    Failed {
        error: DbError,
        unsure: bool,
    },
}

/// Runs transactions; cheap to clone.
#[derive(Clone)]
pub(super) struct GroupCommit {
    db: Db,
    policy: AccountingPolicy,
    metrics: Metrics,
    waiting: Arc<Mutex<VecDeque<Asked>>>,
    /// For [`AT_ONCE`] shared transactions.
    together: Arc<Semaphore>,
    /// Of `run_all`.
    status: TaskStatus,
    alone: Arc<Semaphore>,
}

struct Asked {
    share: OrgBatch,
    /// Until then a failed attempt is repeated.
    deadline: Instant,
    reply: oneshot::Sender<Ended>,
}

impl Asked {
    /// What it costs a transaction; a refusal is a row, too.
    fn size(&self) -> usize {
        self.share.operations.len() + self.share.refusals.len()
    }

    /// Whoever asked may be gone; the books are right either way.
    fn answer(self, ended: Ended) {
        let _ = self.reply.send(ended);
    }
}

impl GroupCommit {
    pub fn new(db: Db, policy: AccountingPolicy, metrics: Metrics) -> Self {
        let status = metrics.tasks.register("group_commit", None);
        let of = |permits| Arc::new(Semaphore::new(permits));
        Self {
            db,
            policy,
            metrics,
            waiting: Arc::default(),
            together: of(AT_ONCE),
            status,
            alone: of(ALONE_AT_ONCE),
        }
    }

    /// Runs the share together with those of other organizations.
    pub async fn together(&self, share: OrgBatch, patience: Duration) -> Ended {
        let (reply, ended) = oneshot::channel();
        let asked = Asked { share, deadline: Instant::now() + patience, reply };
        let permit = {
            let mut waiting = self.lock();
            waiting.push_back(asked);
            // With the queue locked: whoever gives a permit back has seen then that nobody waits.
            Arc::clone(&self.together).try_acquire_owned()
        };
        if let Ok(permit) = permit {
            tokio::spawn(self.clone().run_all(permit));
        }
        let lost = |_| Ended::Failed { error: DbError::Busy, unsure: true };
        ended.await.unwrap_or_else(lost)
    }

    /// Runs the share in a transaction of its own, which waits for rows that others have locked.
    pub async fn alone(&self, share: OrgBatch, patience: Duration) -> Ended {
        let run = |conn: &mut _, policy: &_, shares: &[OrgBatch]| {
            shares.iter().map(|share| accounting::run(conn, policy, share).map(Some)).collect()
        };
        let deadline = Instant::now() + patience;
        let Ok(Ok(_permit)) = timeout(patience, self.alone.acquire()).await else {
            return Ended::Failed { error: DbError::Busy, unsure: false };
        };
        let patience = deadline.saturating_duration_since(Instant::now());
        let (result, unsure) = self.transaction(vec![share], patience, run).await;
        match result {
            Ok(outcomes) => Ended::Done(outcomes.into_iter().flatten().flatten().collect()),
            Err(error) => Ended::Failed { error, unsure },
        }
    }

    /// Runs one transaction after the other until nobody waits. After a panic the shares of that transaction are answered by
    /// `together`: their replies are dropped. Those that still wait go on at once.
    async fn run_all(self, permit: OwnedSemaphorePermit) {
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
            // The longest: whoever has less is answered in time by who asked for them.
            let patience = group.iter().map(|asked| asked.deadline.saturating_duration_since(Instant::now()));
            let patience = patience.max().unwrap_or_default();
            let shares = group.iter().map(|asked| asked.share.clone()).collect();
            let (result, unsure) = self.transaction(shares, patience, accounting::run_shared).await;
            match result {
                Ok(outcomes) => {
                    for (asked, outcomes) in group.into_iter().zip(outcomes) {
                        asked.answer(outcomes.map_or(Ended::LeftOut { unsure }, Ended::Done));
                    }
                }
                Err(error @ (DbError::Unavailable(_) | DbError::Unsure(_) | DbError::Busy)) => {
                    for asked in group {
                        asked.answer(Ended::Failed { error: error.clone(), unsure });
                    }
                }
                // This may be the fault of one of them.
                Err(_) => group.into_iter().for_each(|asked| asked.answer(Ended::Apart { unsure })),
            }
        }
    }

    /// `None` if nobody waits: then the permit has been given back.
    fn next_group(&self, permit: &mut Option<OwnedSemaphorePermit>) -> Option<Vec<Asked>> {
        let mut waiting = self.lock();
        let now = Instant::now();
        let (mut group, mut size) = (vec![], 0);
        while let Some(asked) = waiting.pop_front() {
            if asked.deadline + LATE < now {
                asked.answer(Ended::Failed { error: DbError::Busy, unsure: false });
                continue;
            }
            size += asked.size();
            if size > MAX_OPERATIONS && !group.is_empty() {
                waiting.push_front(asked);
                break;
            }
            group.push(asked);
        }
        if group.is_empty() {
            permit.take();
            return None;
        }
        Some(group)
    }

    /// Gives what came of each share. The second answer says whether it may have been committed all the same.
    async fn transaction(
        &self,
        mut shares: Vec<OrgBatch>,
        patience: Duration,
        run: impl Fn(&mut Conn, &AccountingPolicy, &[OrgBatch]) -> Result<Outcomes, DbError> + Send + 'static,
    ) -> (Result<Outcomes, DbError>, bool) {
        let unsure = Arc::new(AtomicBool::new(false));
        let (noted, policy) = (Arc::clone(&unsure), self.policy.clone());
        let asked = shares.iter().map(|share| share.operations.len()).sum();
        let work = move |conn: &mut _| {
            let result = run(conn, &policy, &shares);
            if matches!(result, Err(DbError::Unsure(_))) {
                shares.iter_mut().flat_map(|share| &mut share.operations).for_each(mark_attempted);
                noted.store(true, Ordering::Relaxed);
            }
            result
        };
        let started = Instant::now();
        let result = self.db.run(Lane::Accounting, patience, work).await;
        let (items, ending) = match &result {
            Ok(outcomes) if outcomes.iter().all(Option::is_none) => (0, "left_out"),
            Ok(outcomes) => (outcomes.iter().flatten().map(Vec::len).sum(), "done"),
            Err(_) => (asked, "failed"),
        };
        self.metrics.batch(items, started.elapsed(), ending);
        let unsure = unsure.load(Ordering::Relaxed) || matches!(result, Err(DbError::Unsure(_)));
        (result, unsure)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Asked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repeated deletion that finds nothing has been done by the attempt before.
pub(super) fn mark_attempted(operation: &mut Operation) {
    if let Operation::Delete(delete) = operation {
        delete.attempted_before = true;
    }
}
