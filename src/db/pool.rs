//! The pool of connections: the only way from async code to blocking queries.
//!
//! A caller first takes a permit from its lane's semaphore. The semaphores together have as many permits as there are
//! connections. So the general lane can't delay a commit, and neither tasks nor portals can delay the answer to an appliance,
//! however many callers they have, and `Pool::get` never waits for another query.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::Pool;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::commit_probe::CommitProbe;
use super::connection::STATEMENT_TIMEOUT;
use super::lane::{CONNECTIONS, LANES, Lane};
use super::pool_manager::Manager;
use super::{Conn, Connector, DbError};

/// How long the pool tries to open a connection before it reports that the database is unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A statement that fails after at least this time has waited for another session: Postgres checks for deadlocks after a
/// second (`deadlock_timeout`), and our own timeouts are longer.
const WAITED_FOR_LOCK: Duration = Duration::from_millis(900);

/// How long a statement with a deadline may take at least.
const MIN_STATEMENT_TIME: Duration = Duration::from_millis(100);

/// A connection that is older than this and turns out to be lost counts as lost before it was used.
const FRESH: Duration = Duration::from_secs(1);

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Manager>,
    /// The permits of each lane, in the order of [`Lane::ALL`].
    permits: [Arc<Semaphore>; LANES],
    blocking: Handle,
    connector: Connector,
    pub(super) probe: CommitProbe,
    /// When a query was last found not to answer. Connections from before are not used any more: a network that loses packets
    /// loses those of all of them, and each would keep the thread that uses it.
    suspicion: Arc<Mutex<Option<std::time::Instant>>>,
}

impl Db {
    /// Makes the pool without connecting, so that the service can start while the database is down. Queries run on the
    /// blocking threads of `blocking`.
    pub fn new(connector: Connector, blocking: Handle) -> Self {
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(Some(1))
            .connection_timeout(CONNECT_TIMEOUT)
            .test_on_check_out(false)
            .error_handler(Box::new(QuietErrors))
            .build_unchecked(Manager { connector: connector.clone() });
        let permits = Lane::ALL.map(|lane| Arc::new(Semaphore::new(lane.connections() as usize)));
        Self { pool, permits, blocking, connector, probe: CommitProbe::default(), suspicion: Arc::default() }
    }

    /// Returns the name of each lane, and how many of its connections are in use at this moment.
    pub fn used(&self) -> Vec<(&'static str, usize)> {
        let used = |lane: Lane| {
            let free = self.permits[lane as usize].available_permits();
            (lane.name(), (lane.connections() as usize).saturating_sub(free))
        };
        Lane::ALL.into_iter().map(used).collect()
    }

    /// Runs `work` once on a new connection, which is closed afterwards: for work that changes the session or takes long.
    pub async fn run_alone<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, DbError> + Send + 'static,
    {
        let connector = self.connector.clone();
        let task = self.blocking.spawn_blocking(move || work(&mut connector.connect()?.conn));
        task.await.map_err(|e| DbError::Failed(format!("a query panicked: {e}")))?
    }

    /// Runs `work` on a connection. If it fails for a transient reason, it is run again until `retry_for` is over. One such
    /// reason is a connection that is lost in COMMIT, so `work` has to find out by itself whether it was done already.
    pub async fn run<T, F>(&self, lane: Lane, retry_for: Duration, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, DbError> + Send + 'static,
    {
        let deadline = Instant::now() + retry_for;
        let mut pause = Duration::from_millis(20);
        let mut work = work;
        loop {
            let attempt = self.attempt(lane, deadline, work).await?;
            work = attempt.work;
            match attempt.result {
                // Postgres was restarted, and this connection is from before. The next attempt may get another old
                // connection, and in the end a new one.
                Err(_) if attempt.stale && Instant::now() < deadline => {}
                Err(error) if error.is_transient() && Instant::now() + pause < deadline => {
                    log::debug!("database: {error}; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                }
                result => return result,
            }
        }
    }

    /// Runs `work` once. The outer error means that `work` was not run, or is not known to have ended.
    async fn attempt<T, F>(
        &self,
        lane: Lane,
        deadline: Instant,
        mut work: F,
    ) -> Result<Attempt<T, F>, DbError>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, DbError> + Send + 'static,
    {
        let semaphore = Arc::clone(&self.permits[lane as usize]);
        let permit = timeout_at(deadline, semaphore.acquire_owned())
            .await
            .map_err(|_| DbError::Busy)?
            .map_err(|_| DbError::Busy)?;
        let (pool, suspicion) = (self.pool.clone(), Arc::clone(&self.suspicion));
        let task = self.blocking.spawn_blocking(move || {
            // The permit is released when the query ends, not when the caller stops waiting.
            let _permit = permit;
            let limited = |conn: &mut _| within(deadline, conn, &mut work);
            let (result, stale) = match lane {
                Lane::Fleet => on_connection(&pool, &suspicion, limited),
                Lane::Accounting | Lane::General | Lane::Tasks => on_connection(&pool, &suspicion, &mut work),
            };
            Attempt { result, stale, work }
        });
        // A frozen server does not enforce its own timeouts. The thread that waits for it keeps the permit.
        match timeout_at(deadline + lane.wait_beyond_deadline(), task).await {
            Ok(done) => done.map_err(|e| DbError::Failed(format!("a query panicked: {e}"))),
            Err(_) => {
                // Statements of other lanes may just be slow.
                if matches!(lane, Lane::General) {
                    *lock(&self.suspicion) = Some(std::time::Instant::now());
                }
                Err(DbError::OutcomeUnknown("it does not answer".to_owned()))
            }
        }
    }
}

/// The result of one attempt.
struct Attempt<T, F> {
    result: Result<T, DbError>,
    /// Whether the connection had been lost before it was used.
    stale: bool,
    /// The work, returned for the next attempt.
    work: F,
}

/// Runs `work` so that Postgres ends each of its statements at the deadline.
fn within<T>(
    deadline: Instant,
    conn: &mut Conn,
    work: &mut impl FnMut(&mut Conn) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let left = deadline.saturating_duration_since(Instant::now()).max(MIN_STATEMENT_TIME);
    conn.batch_execute(&format!("SET statement_timeout = {}", left.as_millis()))?;
    let result = work(conn);
    let restored = conn.batch_execute(STATEMENT_TIMEOUT);
    result.and_then(|done| Ok(restored.map(|()| done)?))
}

/// Runs `work` on a connection of the pool. Also returns whether the connection had been lost before it was used.
fn on_connection<T>(
    pool: &Pool<Manager>,
    suspicion: &Mutex<Option<std::time::Instant>>,
    mut work: impl FnMut(&mut Conn) -> Result<T, DbError>,
) -> (Result<T, DbError>, bool) {
    let mut pooled = match pool.get() {
        Ok(pooled) => pooled,
        Err(error) => return (Err(DbError::Unavailable(error.to_string())), false),
    };
    if pooled.session.is_outdated() {
        pooled.lost = true;
        return (Err(DbError::Unavailable("the connection leads to a former primary".to_owned())), true);
    }
    if lock(suspicion).is_some_and(|since| pooled.opened < since) {
        pooled.lost = true;
        let text = "another connection as old as this one does not answer";
        return (Err(DbError::Unavailable(text.to_owned())), true);
    }
    let conn = &mut pooled.session.conn;
    let started = std::time::Instant::now();
    let result = match work(conn) {
        // An error of a lost connection can look like that of a statement: another statement shows which it is.
        Err(DbError::Failed(text)) if conn.batch_execute("SELECT 1").is_err() => {
            Err(DbError::Unavailable(text))
        }
        // Another session held a lock. The text is not checked, because only a superuser may choose the language of
        // Postgres' errors. If the cause was a different one, the next attempt fails sooner.
        Err(DbError::Failed(text)) if started.elapsed() >= WAITED_FOR_LOCK => Err(DbError::Conflict(text)),
        result => result,
    };
    pooled.lost = matches!(result, Err(DbError::Unavailable(_) | DbError::OutcomeUnknown(_)));
    let stale = pooled.lost && pooled.opened.elapsed() > FRESH;
    (result, stale)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs failed attempts to connect for debugging only. By default the pool logs each as an error; here the callers report it.
#[derive(Debug)]
struct QuietErrors;

impl diesel::r2d2::HandleError<DbError> for QuietErrors {
    fn handle_error(&self, error: DbError) {
        log::debug!("connection pool: {error}");
    }
}
