//! Lists that wait at the same time are read by one query.
//!
//! A query costs Postgres and this process several times as much as the rows of one list. While [`QUERIES_AT_ONCE`] queries
//! are under way, further lists wait, and are then read together by the next one. If fewer are under way, a list's own begins at
//! once. If they are slow ([`SLOW`]), as many again run beside them.
//!
//! * **A list is never out of date.** It leaves the queue before its query begins, so the query sees everything that was
//!   committed when the list was asked for, by whichever process.
//! * **Each system gets its own rows**, by the `system_id` of each row.
//! * **One list does not make another fail.** If a query fails for a reason that may be one of its systems, each of them is
//!   read by a query of its own.
//! * **The deadline is each list's own.** A query is repeated until the earliest deadline of its lists. Those that have
//!   time left then wait for the next query. No query is waited for longer than its earliest deadline and
//!   [a second](crate::db::Lane), and lists are read in the order of their arrival. So each list is answered at the latest a
//!   second after its own deadline, as if it had a query of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use crate::backups::READ_TIMEOUT;
use crate::db::backup_lists::{self, BackupList};
use crate::db::{Db, DbError, Lane};
use crate::telemetry::{TaskFailure, TaskStatus};

/// The number of shared queries at a time: while one waits for Postgres, the rows of the other are decoded.
const QUERIES_AT_ONCE: usize = 2;
/// The most lists of a query.
const MAX_LISTS: usize = 64;
/// About the most rows of a query, judged by the one before it: all of them are in memory at the same time.
const MAX_ROWS: usize = 10_000;
/// After this time a list no longer waits for the queries that are under way: they may hang.
const SLOW: Duration = Duration::from_millis(250);
/// A list that has less time left is not read again after an error: [`Db::run`] makes no further attempt then either.
const LAST_ATTEMPT: Duration = Duration::from_millis(500);

/// Reads lists; cheap to clone.
#[derive(Clone)]
pub struct SharedLists {
    db: Db,
    runtime: Handle,
    waiting: Arc<Mutex<VecDeque<WaitingList>>>,
    /// Permits for [`QUERIES_AT_ONCE`] queries.
    permits: Arc<Semaphore>,
    /// As many again, beside queries that are slow.
    spare: Arc<Semaphore>,
    /// How many rows a list of the last query had.
    rows: Arc<AtomicUsize>,
    /// The status of [`run_until_empty`](Self::run_until_empty).
    status: TaskStatus,
}

/// A list that waits for its query.
struct WaitingList {
    system: Uuid,
    /// The time until which a failed query is repeated.
    deadline: Instant,
    /// Whether the list is read by a query of its own, because a shared one has failed.
    alone: bool,
    reply: oneshot::Sender<Result<BackupList, DbError>>,
}

impl WaitingList {
    /// Sends the list to the caller, who may be gone.
    fn answer(self, list: Result<BackupList, DbError>) {
        let _ = self.reply.send(list);
    }
}

impl SharedLists {
    /// The queries run on `runtime`.
    pub fn new(db: Db, runtime: Handle, status: TaskStatus) -> Self {
        let permits = || Arc::new(Semaphore::new(QUERIES_AT_ONCE));
        let (permits, spare) = (permits(), permits());
        Self { db, runtime, waiting: Arc::default(), permits, spare, rows: Arc::default(), status }
    }

    /// Returns the stored backups of the system.
    ///
    /// # Errors
    /// Those of [`Db::run`].
    pub async fn read(&self, system: Uuid) -> Result<BackupList, DbError> {
        let (reply, mut list) = oneshot::channel();
        let deadline = Instant::now() + READ_TIMEOUT;
        let permit = {
            let mut waiting = self.lock();
            waiting.push_back(WaitingList { system, deadline, alone: false, reply });
            // The queue is locked here, and also when a holder finds it empty and releases its permit. So a list can't be
            // left in the queue without a holder.
            Arc::clone(&self.permits).try_acquire_owned()
        };
        if let Ok(permit) = permit {
            self.runtime.spawn(self.clone().run_until_empty(permit));
        }
        if let Ok(list) = timeout(SLOW, &mut list).await {
            return list.unwrap_or(Err(DbError::Busy));
        }
        if let Ok(permit) = Arc::clone(&self.spare).try_acquire_owned() {
            self.runtime.spawn(self.clone().run_until_empty(permit));
        }
        list.await.unwrap_or(Err(DbError::Busy))
    }

    /// Runs one query after the other until no list waits. A panic drops the replies of the query's lists, so
    /// [`read`](Self::read) returns an error for them. The lists that wait are read at once.
    async fn run_until_empty(self, permit: OwnedSemaphorePermit) {
        let mut permit = Some(permit);
        while let Some(group) = self.next_group(&mut permit) {
            let _ = self.status.run(self.run_group(group)).await;
        }
    }

    /// Reads the lists in one query, and answers each. The failure of a query is no failure of the task.
    async fn run_group(&self, group: Vec<WaitingList>) -> Result<(), TaskFailure> {
        fail_point!("backup_lists.taken");
        let mut systems: Vec<Uuid> = group.iter().map(|list| list.system).collect();
        systems.sort_unstable();
        systems.dedup();
        let earliest = group.iter().map(|list| list.deadline).min().unwrap_or_else(Instant::now);
        let retry_for = earliest.saturating_duration_since(Instant::now());
        let query = move |conn: &mut _| backup_lists::read(conn, &systems);
        match self.db.run(Lane::General, retry_for, query).await {
            Ok(lists) => {
                let rows: usize = lists.values().flatten().map(|list| list.len()).sum();
                self.rows.store(rows / lists.len().max(1), Ordering::Relaxed);
                for waiting in group {
                    let list = lists.get(&waiting.system).cloned();
                    waiting.answer(list.unwrap_or(Err(DbError::Busy)));
                }
            }
            Err(error) => self.fail(group, &error),
        }
        Ok(())
    }

    /// Answers those lists for which no further query can help, and puts back the others.
    fn fail(&self, group: Vec<WaitingList>, error: &DbError) {
        let (transient, shared, now) = (error.is_transient(), group.len() > 1, Instant::now());
        let mut queue = self.lock();
        for mut waiting in group.into_iter().rev() {
            let again = if transient { waiting.deadline > now + LAST_ATTEMPT } else { shared };
            if again {
                // The cause may be one of the systems, or that they have too many rows together.
                waiting.alone |= !matches!(error, DbError::Unavailable(_));
                queue.push_front(waiting);
            } else {
                waiting.answer(Err(error.clone()));
            }
        }
    }

    /// Removes the lists of the next query from the queue. If there are none, releases the permit and returns `None`.
    fn next_group(&self, permit: &mut Option<OwnedSemaphorePermit>) -> Option<Vec<WaitingList>> {
        let max_lists = (MAX_ROWS / self.rows.load(Ordering::Relaxed).max(1)).clamp(1, MAX_LISTS);
        let mut queue = self.lock();
        let now = Instant::now();
        let mut group: Vec<WaitingList> = vec![];
        while let Some(waiting) = queue.pop_front() {
            if waiting.reply.is_closed() {
                continue;
            }
            if waiting.deadline <= now {
                waiting.answer(Err(DbError::Busy));
                continue;
            }
            if !group.is_empty() && (waiting.alone || group.len() >= max_lists) {
                queue.push_front(waiting);
                break;
            }
            let alone = waiting.alone;
            group.push(waiting);
            if alone {
                break;
            }
        }
        if group.is_empty() {
            permit.take();
            return None;
        }
        Some(group)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<WaitingList>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
