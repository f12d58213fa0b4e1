//! Transactions that organizations share.
//!
//! A commit costs the disk about the same for one organization as for twenty. While as many shared
//! transactions are under way as there may be, what arrives waits, and goes together into the next one. Such
//! a transaction never waits for a row that somebody else has locked: the organization is left out and told
//! to run [`alone`], where it may wait for as long as it likes without holding up another. The same is said to
//! all of them if the transaction fails for what may be the fault of one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::db::accounting::{self, Operation, Outcome, Policy, Share};
use crate::db::{Conn, Db, DbError, Lane};
use crate::telemetry::Metrics;

/// Shared transactions under way at a time: while one waits for the disk, the next is decided.
const AT_ONCE: usize = 2;
/// Operations in one of them; a single organization may bring as many alone.
const MAX_OPERATIONS: usize = 64;

/// What came of an organization's share.
pub(super) enum Ended {
    Done(Vec<Outcome>),
    /// Nothing was done: the share has to run alone.
    Apart,
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
    policy: Policy,
    metrics: Metrics,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    shares: VecDeque<Asked>,
    under_way: usize,
}

struct Asked {
    share: Share,
    /// Until then a failed attempt is repeated.
    deadline: Instant,
    reply: oneshot::Sender<Ended>,
}

impl GroupCommit {
    pub fn new(db: Db, policy: Policy, metrics: Metrics) -> Self {
        Self { db, policy, metrics, waiting: Arc::default() }
    }

    /// Runs the share together with those of other organizations.
    pub async fn together(&self, share: Share, patience: Duration) -> Ended {
        let (reply, ended) = oneshot::channel();
        let asked = Asked { share, deadline: Instant::now() + patience, reply };
        let start = {
            let mut waiting = self.lock();
            waiting.shares.push_back(asked);
            let start = waiting.under_way < AT_ONCE;
            waiting.under_way += usize::from(start);
            start
        };
        if start {
            tokio::spawn(self.clone().run_all());
        }
        let lost = |_| Ended::Failed { error: DbError::Busy, unsure: true };
        ended.await.unwrap_or_else(lost)
    }

    /// Runs the share in a transaction of its own, which waits for rows that others have locked.
    pub async fn alone(&self, share: Share, patience: Duration) -> Ended {
        let run = |conn: &mut _, policy: &_, shares: &[Share]| {
            shares.iter().map(|share| accounting::run(conn, policy, share).map(Some)).collect()
        };
        let (result, unsure) = self.transaction(vec![share], patience, run).await;
        match result {
            Ok(outcomes) => outcomes.into_iter().flatten().next().map_or(Ended::Apart, Ended::Done),
            Err(error) => Ended::Failed { error, unsure },
        }
    }

    /// One transaction after the other, as long as somebody waits.
    async fn run_all(self) {
        while let Some(group) = self.next_group() {
            let patience = group.iter().map(|asked| asked.deadline.saturating_duration_since(Instant::now()));
            let patience = patience.min().unwrap_or_default();
            let shares = group.iter().map(|asked| asked.share.clone()).collect();
            let (result, unsure) = self.transaction(shares, patience, accounting::run_together).await;
            match result {
                Ok(outcomes) => {
                    for (asked, outcomes) in group.into_iter().zip(outcomes) {
                        // Whoever asked may be gone; the books are right either way.
                        let _ = asked.reply.send(outcomes.map_or(Ended::Apart, Ended::Done));
                    }
                }
                Err(error) => {
                    let may_be_anothers =
                        !unsure && !matches!(error, DbError::Unavailable(_) | DbError::Busy);
                    for asked in group {
                        let failed = Ended::Failed { error: error.clone(), unsure };
                        let _ = asked.reply.send(if may_be_anothers { Ended::Apart } else { failed });
                    }
                }
            }
        }
    }

    /// `None` if nobody waits: this was the last transaction.
    fn next_group(&self) -> Option<Vec<Asked>> {
        let mut waiting = self.lock();
        let mut operations = 0;
        let fits = |asked: &&Asked| {
            operations += asked.share.operations.len();
            operations <= MAX_OPERATIONS
        };
        let count = waiting.shares.iter().take_while(fits).count().max(1).min(waiting.shares.len());
        if count == 0 {
            waiting.under_way -= 1;
            return None;
        }
        Some(waiting.shares.drain(..count).collect())
    }

    /// The second answer says whether it may have been committed all the same.
    async fn transaction(
        &self,
        mut shares: Vec<Share>,
        patience: Duration,
        run: impl Fn(&mut Conn, &Policy, &[Share]) -> Result<Vec<Option<Vec<Outcome>>>, DbError> + Send + 'static,
    ) -> (Result<Vec<Option<Vec<Outcome>>>, DbError>, bool) {
        let unsure = Arc::new(AtomicBool::new(false));
        let (noted, policy) = (Arc::clone(&unsure), self.policy.clone());
        let items = shares.iter().map(|share| share.operations.len()).sum();
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
        self.metrics.batch(items, started.elapsed(), result.is_ok());
        let unsure = unsure.load(Ordering::Relaxed) || matches!(result, Err(DbError::Unsure(_)));
        (result, unsure)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repeated deletion that finds nothing has been done by the attempt before.
pub(super) fn mark_attempted(operation: &mut Operation) {
    if let Operation::Delete(delete) = operation {
        delete.attempted_before = true;
    }
}
