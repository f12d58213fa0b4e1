//! Prepares the schema and the store before anything else uses them. The service starts even if one of them can't be
//! reached, and retries until both are ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::supervisor::{Period, Supervisor, TaskDefinition};
use crate::db::{Db, DbError, backups, migrations, periods, service_defaults};
use crate::store::{BlobStore, StoreError};
use crate::telemetry::TaskFailure;

/// The schema and the store to prepare.
#[derive(Clone)]
pub struct Preparation {
    pub db: Db,
    /// Whether to apply missing migrations, or only to wait for them.
    pub migrate: bool,
    pub default_quota: Option<u64>,
    /// `BACKUP_PERIOD`.
    pub backup_period: Duration,
    pub store: Arc<dyn BlobStore>,
}

/// The time between the starts of two attempts. An attempt that took longer is followed by the next one at once: the timeout
/// of a dependency that does not answer was a long enough pause.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why an attempt failed.
enum Failure {
    Database(DbError),
    Store(StoreError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => write!(f, "could not prepare the database: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Preparation {
    async fn attempt(&self) -> Result<(), Failure> {
        let empty = self.database().await.map_err(Failure::Database)?;
        self.store.prepare(empty).await.map_err(Failure::Store)
    }

    /// Prepares the database, and returns whether no backup is stored in it.
    async fn database(&self) -> Result<bool, DbError> {
        let (migrate, quota, period) = (self.migrate, self.default_quota, self.backup_period);
        let prepare = move |conn: &mut _| {
            if migrate {
                for version in migrations::migrate(conn)? {
                    log::info!("applied migration {version}");
                }
            } else if !migrations::is_current(conn)? {
                let todo = "migrations are missing: run `strongroom migrate` (this process was started with --no-migrate)";
                return Err(DbError::Failed(todo.to_owned()));
            }
            service_defaults::set_default_quota(conn, quota)?;
            periods::set_default(conn, period)?;
            backups::none_stored(conn)
        };
        self.db.run_alone(prepare).await
    }
}

/// Starts to prepare schema and store, and sets `ready` when both are prepared. Sends the reason to `refused` if the store refuses: the
/// receiver may end the start. If the receiver was dropped, a refusal is retried like any other failure.
pub fn start(
    supervisor: &Supervisor,
    preparation: Preparation,
    ready: Arc<AtomicBool>,
    refused: oneshot::Sender<String>,
) {
    let refused = Arc::new(Mutex::new(Some(refused)));
    let logged = Arc::new(Mutex::new(None));
    supervisor.spawn(TaskDefinition::new("prepare", Period::UntilSuccess(INTERVAL)), move || {
        let (preparation, ready) = (preparation.clone(), Arc::clone(&ready));
        let (refused, logged) = (Arc::clone(&refused), Arc::clone(&logged));
        async move {
            let Err(failure) = preparation.attempt().await else {
                ready.store(true, Ordering::Relaxed);
                // The start of the service waits until this sender is dropped.
                lock(&refused).take();
                return Ok(());
            };
            let text = failure.to_string();
            if let Failure::Store(StoreError::Refused(line)) = failure {
                let receiver = lock(&refused).take();
                if receiver.is_some_and(|receiver| receiver.send(line).is_ok()) {
                    // The process ends, and logs this line.
                    std::future::pending::<()>().await;
                }
            }
            if lock(&logged).replace(text.clone()).as_ref() != Some(&text) {
                log::error!("{text}; trying again every second");
            }
            // Health shows the dependency as `down` or `being prepared`.
            Err(TaskFailure { is_outage: true, ..TaskFailure::new(text).logged() })
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
