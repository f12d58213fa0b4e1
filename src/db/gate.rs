//! The one way from async code to blocking queries.
//!
//! In front of the pool stand semaphores with as many permits as connections, in lanes, so that a
//! crowd of readers can't keep a commit waiting and `get` never waits for another query.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::Pool;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{Manager, connect};
use super::{Conn, DbError};

/// Which share of the connections a piece of work may use.
#[derive(Debug, Clone, Copy)]
pub enum Lane {
    /// What changes the books.
    Accounting,
    /// Credentials, lists, look-ups, jobs.
    Reads,
}

const PER_LANE: u32 = 8;

/// How long the pool tries to open a connection before it says that there is no database.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Manager>,
    accounting: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    blocking: Handle,
    database_url: Arc<str>,
}

impl Db {
    /// Makes the pool without connecting: the service starts while the database is down. Queries
    /// run on the blocking threads of `blocking`.
    pub fn new(database_url: &str, blocking: Handle) -> Self {
        let pool = Pool::builder()
            .max_size(2 * PER_LANE)
            .min_idle(Some(1))
            .connection_timeout(CONNECT_PATIENCE)
            .test_on_check_out(false)
            .error_handler(Box::new(QuietErrors))
            .build_unchecked(Manager { database_url: database_url.to_owned() });
        let lane = || Arc::new(Semaphore::new(PER_LANE as usize));
        let database_url = database_url.into();
        Self { pool, accounting: lane(), reads: lane(), blocking, database_url }
    }

    /// Runs `work` once on a connection of its own, which is closed afterwards: for what changes
    /// the session or takes long.
    pub async fn run_alone<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, DbError> + Send + 'static,
    {
        let url = Arc::clone(&self.database_url);
        let task = self.blocking.spawn_blocking(move || work(&mut connect(&url)?));
        task.await.map_err(|e| DbError::Failed(format!("a query panicked: {e}")))?
    }

    /// Runs `work` on a connection. What fails for a passing reason is run again until `patience`
    /// is over, also when the connection was lost in COMMIT: `work` has to find out by itself
    /// whether it has been done already.
    pub async fn run<T, F>(&self, lane: Lane, patience: Duration, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, DbError> + Send + 'static,
    {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(20);
        let mut work = work;
        loop {
            let result;
            (result, work) = self.attempt(lane, deadline, work).await?;
            match result {
                Err(error) if error.is_passing() && Instant::now() + pause < deadline => {
                    log::debug!("database: {error}; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                }
                result => return result,
            }
        }
    }

    async fn attempt<T, F>(
        &self,
        lane: Lane,
        deadline: Instant,
        mut work: F,
    ) -> Result<(Result<T, DbError>, F), DbError>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, DbError> + Send + 'static,
    {
        let semaphore = match lane {
            Lane::Accounting => &self.accounting,
            Lane::Reads => &self.reads,
        };
        let permit = timeout_at(deadline, Arc::clone(semaphore).acquire_owned())
            .await
            .map_err(|_| DbError::Busy)?
            .map_err(|_| DbError::Busy)?;
        let pool = self.pool.clone();
        let task = self.blocking.spawn_blocking(move || {
            // The permit is given back when the query is over, not when somebody stops waiting.
            let _permit = permit;
            let result = on_connection(&pool, &mut work);
            (result, work)
        });
        task.await.map_err(|e| DbError::Failed(format!("a query panicked: {e}")))
    }
}

fn on_connection<T>(
    pool: &Pool<Manager>,
    work: &mut impl FnMut(&mut Conn) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let mut link = pool.get().map_err(|e| DbError::Unavailable(e.to_string()))?;
    let result = work(&mut link.conn);
    match result {
        Err(DbError::Unavailable(_)) => link.lost = true,
        // A lost connection can look like a failed statement: ask the connection itself.
        Err(DbError::Failed(text)) if link.conn.batch_execute("SELECT 1").is_err() => {
            link.lost = true;
            return Err(DbError::Unavailable(text));
        }
        _ => {}
    }
    result
}

/// The pool would log each failed attempt to connect as an error; callers report the outcome.
#[derive(Debug)]
struct QuietErrors;

impl diesel::r2d2::HandleError<DbError> for QuietErrors {
    fn handle_error(&self, error: DbError) {
        log::debug!("connection pool: {error}");
    }
}
