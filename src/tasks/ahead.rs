//! Objects that were put ahead of their transaction by processes that died, or that do not know its outcome.
//!
//! If the object has a row, only its mark is removed: the row says what becomes of it. If it has none, no client was told that it is
//! stored, and it is deleted an hour after it was written. A transaction that is still under way holds the lock of its
//! organization. The hour is for one that Postgres has not begun yet.
//!
//! A database that is older than the store lacks the row too: a power cut may bring marks back that were removed in its last
//! seconds. So if anything else in the store suggests that, only the mark is removed, and the object is one without a row.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::TaskError;
use super::orphans::gather_evidence;
use crate::db::{Db, Lane, objects};
use crate::domain::object_key::ObjectKey;
use crate::domain::orphans::objection;
use crate::store::{BlobStore, Unclaimed};

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an object without a row is kept: from its time by the store's clock until the database's.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// How long a process waits after it has compared the whole store, and could not delete everything.
const PAUSE: Duration = Duration::from_hours(1);

/// Settles the objects that have a mark which no process holds.
#[derive(Default)]
pub(super) struct Ahead {
    /// When the whole store was last compared, if something was left.
    compared: Mutex<Option<Instant>>,
}

/// The result: how many objects were deleted, and how many could not be settled. A later sweep tries them again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub deleted: usize,
    pub failed: usize,
}

impl Ahead {
    pub(super) async fn settle(&self, db: &Db, store: &dyn BlobStore) -> Result<Settled, TaskError> {
        let mut settled = Settled::default();
        let unclaimed = store.find_unclaimed().await?;
        if unclaimed.is_empty() {
            return Ok(settled);
        }
        let keys: Vec<_> = unclaimed.iter().map(|object| object.key.to_string()).collect();
        let query = move |conn: &mut _| Ok((objects::known_among(conn, &keys)?, objects::now(conn)?));
        let (known, now) = db.run(Lane::Tasks, QUERY_TIMEOUT, query).await?;
        let (known, unknown): (Vec<_>, Vec<_>) =
            unclaimed.into_iter().partition(|object| known.contains(object.key.as_str()));
        for Unclaimed { key, .. } in known {
            if let Err(error) = store.remove_mark(&key).await {
                log::warn!("could not remove the mark of {key}: {error}; the next sweep tries again");
                settled.failed += 1;
            }
        }
        let mut nobodys = Vec::new();
        for Unclaimed { key, .. } in unknown.into_iter().filter(|object| object.written + KEPT <= now) {
            let own = key.clone();
            let query = move |conn: &mut _| objects::is_nobodys(conn, &own);
            match db.run(Lane::Tasks, QUERY_TIMEOUT, query).await {
                Ok(true) => nobodys.push(key),
                Ok(false) => {}
                // Its organization may be locked for long.
                Err(error) => {
                    log::warn!(
                        "could not find out whether {key} has a row: {error}; the next sweep tries again"
                    );
                    settled.failed += 1;
                }
            }
        }
        if !nobodys.is_empty() && !self.is_pausing() {
            self.remove(db, store, nobodys, &mut settled).await?;
        }
        Ok(settled)
    }

    /// Removes these objects, or only their marks if the database may be older than the store.
    async fn remove(
        &self,
        db: &Db,
        store: &dyn BlobStore,
        keys: Vec<ObjectKey>,
        settled: &mut Settled,
    ) -> Result<(), TaskError> {
        let doubt = objection(&gather_evidence(db, store, &|_| {}).await?);
        let failed_before = settled.failed;
        for key in keys {
            let removed = match doubt {
                None => store.delete_unclaimed(&key).await.map(usize::from),
                Some(doubt) => {
                    log::warn!(
                        "{key} has no row, and is kept: {doubt} (`strongroom audit --store` shows it)"
                    );
                    store.remove_mark(&key).await.map(|()| 0)
                }
            };
            match removed {
                Ok(deleted) => settled.deleted += deleted,
                Err(error) => {
                    log::warn!(
                        "could not delete {key}, of which nobody was told: {error}; a later sweep tries again"
                    );
                    settled.failed += 1;
                }
            }
        }
        let left = settled.failed > failed_before;
        *self.compared.lock().unwrap_or_else(PoisonError::into_inner) = left.then(Instant::now);
        Ok(())
    }

    fn is_pausing(&self) -> bool {
        let compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.is_some_and(|at| at.elapsed() < PAUSE)
    }
}
