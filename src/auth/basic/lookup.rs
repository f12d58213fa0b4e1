//! Looks up user names in the database as rarely as possible: results are cached for a second, each name has
//! at most one query at a time, and after too many failed attempts the names are batched into one query.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::db::credentials::{self, CredentialRow};
use crate::db::{Db, DbError, Lane};
use crate::domain::ids::SystemKey;
use crate::domain::ttl_map::TtlMap;
use crate::telemetry::{TaskFailure, TaskStatus};

/// A rotated, suspended or destroyed credential has to stop working within a second everywhere.
const CACHE_TTL: Duration = Duration::from_millis(900);
/// Capacity of the cache of existing names, and of the cache of unknown names. They are separate, so that guesses
/// never evict the names that systems use.
const CACHE_CAPACITY: usize = 10_000;
/// How long a look-up waits for the database, or for another look-up of the same name.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(4);
/// The number of locks, which names share by their hash: two names rarely collide.
const STRIPES: u64 = 256;
/// Time between two batched queries.
const BATCH_INTERVAL: Duration = Duration::from_millis(250);

type Found = Result<Option<CredentialRow>, DbError>;

/// The names in the next batched query, each with its waiting callers.
type BatchWaiters = HashMap<String, Vec<oneshot::Sender<Found>>>;

pub(super) struct CredentialLookup(Arc<LookupState>);

struct LookupState {
    db: Db,
    runtime: Handle,
    status: TaskStatus,
    known: Mutex<TtlMap<String, CredentialRow>>,
    unknown: Mutex<TtlMap<String, ()>>,
    stripes: Vec<tokio::sync::Mutex<()>>,
    /// `None` while no batched query is scheduled.
    waiting: Mutex<Option<BatchWaiters>>,
}

impl CredentialLookup {
    pub fn new(db: Db, runtime: Handle, status: TaskStatus) -> Self {
        Self(Arc::new(LookupState {
            db,
            runtime,
            status,
            known: Mutex::new(TtlMap::new(CACHE_TTL, CACHE_CAPACITY)),
            unknown: Mutex::new(TtlMap::new(CACHE_TTL, CACHE_CAPACITY)),
            stripes: (0..STRIPES).map(|_| tokio::sync::Mutex::default()).collect(),
            waiting: Mutex::default(),
        }))
    }

    /// Returns the row of a name from the cache.
    pub fn cached(&self, key: &SystemKey, now: Instant) -> Option<CredentialRow> {
        lock(&self.0.known).get(key.as_str(), now).cloned()
    }

    /// Changes the row of a name in the cache, as it was changed in the database.
    pub fn amend(&self, key: &SystemKey, change: impl FnOnce(&mut CredentialRow)) {
        if let Some(row) = lock(&self.0.known).get_mut(key.as_str(), Instant::now()) {
            change(row);
        }
    }

    /// Removes a name from the cache: the next look-up queries the database.
    pub fn forget(&self, key: &SystemKey) {
        lock(&self.0.known).remove(key.as_str());
    }

    /// Looks up one name. A name has at most one query at a time and one per second; concurrent callers share
    /// its result.
    pub async fn find(&self, key: &SystemKey) -> Found {
        let started = Instant::now();
        if let Some(found) = self.remembered(key, started) {
            return found;
        }
        let mut hasher = DefaultHasher::new();
        key.as_str().hash(&mut hasher);
        let stripe = &self.0.stripes[usize::try_from(hasher.finish() % STRIPES).unwrap_or(0)];
        let _turn = timeout(LOOK_UP_TIMEOUT, stripe.lock()).await.map_err(|_| DbError::Busy)?;
        if let Some(found) = self.remembered(key, started) {
            return found;
        }
        let queried_at = Instant::now();
        let row = self.0.query(vec![key.as_str().to_owned()]).await?.pop();
        match &row {
            Some(row) => lock(&self.0.known).insert(key.as_str().to_owned(), row.clone(), queried_at),
            None => lock(&self.0.unknown).insert(key.as_str().to_owned(), (), queried_at),
        }
        Ok(row)
    }

    /// Looks up a name in the next batched query, which all waiting callers share. The name is queried even if
    /// it is cached, so that the response time reveals nothing.
    pub async fn find_batched(&self, key: &SystemKey) -> Found {
        let (reply, result) = oneshot::channel();
        {
            let mut waiting = lock(&self.0.waiting);
            if waiting.is_none() {
                *waiting = Some(BatchWaiters::new());
                self.0.runtime.spawn(run_batches(Arc::clone(&self.0)));
            }
            waiting.get_or_insert_default().entry(key.as_str().to_owned()).or_default().push(reply);
        }
        result.await.unwrap_or(Err(DbError::Busy))
    }

    fn remembered(&self, key: &SystemKey, now: Instant) -> Option<Found> {
        if let Some(row) = self.cached(key, now) {
            return Some(Ok(Some(row)));
        }
        lock(&self.0.unknown).get(key.as_str(), now).map(|()| Ok(None))
    }
}

impl LookupState {
    async fn query(&self, names: Vec<String>) -> Result<Vec<CredentialRow>, DbError> {
        let query = move |conn: &mut _| credentials::find(conn, &names);
        self.db.run(Lane::General, LOOK_UP_TIMEOUT, query).await
    }
}

/// Runs the batched queries, one at a time, until no caller waits. After a panic the callers of that batch receive
/// `DbError::Busy`, and the next batch follows.
async fn run_batches(state: Arc<LookupState>) {
    loop {
        sleep(BATCH_INTERVAL).await;
        // Only a query counts as a run: an empty batch says nothing about whether the next one works.
        let Some(gathered) = next_batch(&state) else { return };
        let _ = state.status.run(run_batch(&state, gathered)).await;
    }
}

/// Returns the callers of the next query. If there are none, returns `None`: the next caller starts the task again.
fn next_batch(state: &LookupState) -> Option<BatchWaiters> {
    let mut waiting = lock(&state.waiting);
    let gathered = waiting.take().filter(|gathered| !gathered.is_empty())?;
    *waiting = Some(BatchWaiters::new());
    Some(gathered)
}

/// Runs a batched query, and answers its callers.
async fn run_batch(state: &LookupState, gathered: BatchWaiters) -> Result<(), TaskFailure> {
    fail_point!("credential_lookup.taken");
    let queried_at = Instant::now();
    let rows = state.query(gathered.keys().cloned().collect()).await;
    let rows =
        rows.map(|rows| rows.into_iter().map(|row| (row.system_key.clone(), row)).collect::<HashMap<_, _>>());
    if let Ok(rows) = &rows {
        let mut known = lock(&state.known);
        for (name, row) in rows {
            known.insert(name.clone(), row.clone(), queried_at);
        }
    }
    for (name, waiters) in gathered {
        let found = rows.as_ref().map(|rows| rows.get(&name).cloned()).map_err(Clone::clone);
        for waiter in waiters {
            // The caller may have stopped waiting.
            let _ = waiter.send(found.clone());
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
