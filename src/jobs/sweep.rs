//! Takes back the uploads of processes that are dead. The order is that of every undo: row
//! retired, object deleted; the row stays as a tombstone and is dropped by the purger. Says of requests
//! whose time is over that they have expired.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::JobError;
use super::purge::delete_object;
use crate::backups::LiveUploads;
use crate::db::accounting::{self, Abort, Operation, Outcome, Policy, Share};
use crate::db::writers::{self, Orphan};
use crate::db::{Db, DbError, Lane, backups, requests};
use crate::domain::ids::OrgId;
use crate::store::BlobStore;

const PATIENCE: Duration = Duration::from_secs(10);
const EXPIRED_AT_ONCE: i64 = 1000;

/// What a pass did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Uploads of dead processes that were taken back.
    pub uploads: usize,
    /// Unfinished writes that were removed from the store.
    pub leftovers: usize,
    /// Requests that were not fulfilled in time.
    pub expired: usize,
    /// What is tried again later.
    pub failed: usize,
}

/// What a pass needs.
pub struct Sweeper {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
    pub policy: Policy,
    pub lease: Duration,
    /// The uploads of this process.
    pub live: LiveUploads,
}

impl Sweeper {
    /// One that has no uploads of its own: for a pass by hand, also beside processes that serve.
    pub fn by_hand(db: Db, store: Arc<dyn BlobStore>, policy: Policy, lease: Duration) -> Self {
        Self { db, store, policy, lease, live: LiveUploads::default() }
    }

    /// Sweeps every `every`, for ever.
    pub async fn run(self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.run_once().await {
                Ok(Swept { uploads: 0, .. }) => {}
                Ok(swept) => log::info!("sweep: took {} uploads of dead processes back", swept.uploads),
                Err(error) => log::warn!("sweep: {error}; trying again"),
            }
        }
    }

    /// One pass.
    pub async fn run_once(&self) -> Result<Swept, DbError> {
        let (process, alive, lease) = (Some(self.policy.writer), self.live.ids(), self.lease);
        let find = move |conn: &mut _| writers::orphans(conn, process, &alive, lease);
        let orphans = self.db.run(Lane::Reads, PATIENCE, find).await?;
        let mut swept = Swept::default();
        fail_point!("sweep.found");
        for orphan in orphans {
            let id = orphan.id;
            match self.take_back(orphan).await {
                Ok(taken) => swept.uploads += usize::from(taken),
                // One bad item never stops the rest.
                Err(error) => {
                    log::warn!("sweep upload {id}: {error}");
                    swept.failed += 1;
                }
            }
        }
        self.db.run(Lane::Reads, PATIENCE, move |conn| writers::forget_gone(conn, lease)).await?;
        swept.expired = self.expire_requests().await?;
        match self.tidy().await {
            Ok(removed) => swept.leftovers = removed,
            Err(JobError::Store(error)) => {
                log::warn!("sweep: {error}");
                swept.failed += 1;
            }
            Err(JobError::Db(error)) => return Err(error),
        }
        Ok(swept)
    }

    /// Only writes down what everybody takes for expired already.
    async fn expire_requests(&self) -> Result<usize, DbError> {
        let mut expired = 0;
        loop {
            let some =
                self.db.run(Lane::Reads, PATIENCE, |conn| requests::expire(conn, EXPIRED_AT_ONCE)).await?;
            expired += some;
            if i64::try_from(some).is_ok_and(|some| some < EXPIRED_AT_ONCE) {
                return Ok(expired);
            }
        }
    }

    /// Removes what unfinished puts have left in the store. First the store is asked what there is, then
    /// the books which of it is alive.
    async fn tidy(&self) -> Result<usize, JobError> {
        let mut left = self.store.find_leftovers().await?;
        let keys: Vec<_> =
            left.iter().filter_map(|left| left.key.as_ref().map(ToString::to_string)).collect();
        if !keys.is_empty() {
            let receiving = move |conn: &mut _| backups::receiving_among(conn, &keys);
            let alive = self.db.run(Lane::Reads, PATIENCE, receiving).await?;
            left.retain(|left| left.key.as_ref().is_none_or(|key| !alive.contains(key.as_str())));
        }
        fail_point!("sweep.looked");
        Ok(self.store.remove_leftovers(&left).await?)
    }

    async fn take_back(&self, orphan: Orphan) -> Result<bool, DbError> {
        let Orphan { id, system_id, org_id, object_key } = orphan;
        let org = OrgId::parse(&org_id).map_err(|e| DbError::Failed(e.to_string()))?;
        let abort = Operation::Abort(Abort { system_id, backup: id, give_back_slot: true });
        let share = Share::new(org, vec![abort]);
        let policy = self.policy.clone();
        let work = move |conn: &mut _| accounting::run(conn, &policy, &share);
        let outcomes = self.db.run(Lane::Accounting, PATIENCE, work).await?;
        if outcomes != [Outcome::Aborted] {
            return Ok(false);
        }
        fail_point!("sweep.retired");
        if let Err(error) = delete_object(self.store.as_ref(), &object_key).await {
            log::warn!("sweep upload {id}: {error}; tried again with its row");
        }
        Ok(true)
    }
}

/// A process id, to be made anew at every start.
pub fn new_process_id() -> Uuid {
    Uuid::from_bytes(uuidv7::create_raw())
}
