//! Prepares the schema and the store before anything else uses them. The service starts even if one of them is out of
//! reach, and this is tried until both are ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::db::{Db, DbError, backups, migrations, service_defaults};
use crate::store::{BlobStore, StoreError};

/// What has to be prepared.
#[derive(Clone)]
pub struct Preparation {
    pub db: Db,
    /// Whether to apply missing migrations, or only to wait for them.
    pub migrate: bool,
    pub default_quota: Option<u64>,
    pub store: Arc<dyn BlobStore>,
}

/// Between the beginnings of two attempts; one that took longer is followed by the next at once: what is out of reach
/// without a word has cost its time already.
const EVERY: Duration = Duration::from_secs(1);

/// Why an attempt has failed.
enum Failure {
    Database(DbError),
    Store(StoreError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => write!(f, "prepare the database: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Preparation {
    async fn attempt(&self) -> Result<(), Failure> {
        let empty = self.database().await.map_err(Failure::Database)?;
        self.store.prepare(empty).await.map_err(Failure::Store)
    }

    /// Prepares the database, and says whether no backup is stored in it.
    async fn database(&self) -> Result<bool, DbError> {
        let (migrate, quota) = (self.migrate, self.default_quota);
        let prepare = move |conn: &mut _| {
            if migrate {
                for version in migrations::migrate(conn)? {
                    log::info!("applied migration {version}");
                }
            } else if !migrations::is_current(conn)? {
                let todo = "the schema is not this version's; run `strongroom migrate`";
                return Err(DbError::Failed(todo.to_owned()));
            }
            service_defaults::set_default_quota(conn, quota)?;
            backups::none_stored(conn)
        };
        self.db.run_alone(prepare).await
    }
}

/// Tries until it is done, then raises `ready`. `refused` is told why the store refuses, if it does: whoever starts the
/// service may end the start. If nobody listens there any more, it is tried again like anything else.
pub async fn prepare(preparation: Preparation, ready: Arc<AtomicBool>, refused: oneshot::Sender<String>) {
    let mut told = None;
    let mut refused = Some(refused);
    let mut next = interval(EVERY);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    next.tick().await;
    while let Err(failure) = preparation.attempt().await {
        let text = failure.to_string();
        if let Failure::Store(StoreError::Refused(line)) = failure
            && let Some(Ok(())) = refused.take().map(|refused| refused.send(line))
        {
            return;
        }
        // The same line every second would help nobody.
        if told.as_ref() != Some(&text) {
            log::error!("{text}; trying again every second");
            told = Some(text);
        }
        next.tick().await;
    }
    ready.store(true, Ordering::Relaxed);
}
