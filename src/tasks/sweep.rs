//! Cleans up after processes that died: takes their uploads back, and removes what their unfinished writes have left in
//! the store. Also marks requests that were not answered in time as expired.
//!
//! An upload is taken back in the order of every undo: the row is retired, then the object is deleted. The row stays as
//! a tombstone, which the purger drops.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::TaskError;
use super::leftovers::without_writer;
use super::purge::delete_object;
use crate::backups::LiveUploads;
use crate::db::accounting::{self, Abort, AccountingPolicy, Operation, OperationOutcome, OrgBatch};
use crate::db::writers::{self, AbandonedUpload};
use crate::db::{Db, DbError, Lane, backup_requests};
use crate::domain::ids::OrgId;
use crate::store::BlobStore;

const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that one statement marks as expired.
const EXPIRED_AT_ONCE: i64 = 1000;

/// What a pass has done.
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
    pub policy: AccountingPolicy,
    pub lease: Duration,
    /// The uploads of this process.
    pub live: LiveUploads,
}

impl Sweeper {
    /// For a pass by hand: a process without uploads of its own. Services may run beside it.
    pub fn by_hand(db: Db, store: Arc<dyn BlobStore>, policy: AccountingPolicy, lease: Duration) -> Self {
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
        let lease = self.lease;
        let uploads = self.find_abandoned().await?;
        let mut swept = Swept::default();
        fail_point!("sweep.found");
        for upload in uploads.into_iter().filter(|upload| upload.proven) {
            let id = upload.id;
            match self.take_back(upload).await {
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
            Err(TaskError::Store(error)) => {
                log::warn!("sweep: {error}");
                swept.failed += 1;
            }
            Err(TaskError::Db(error)) => return Err(error),
        }
        Ok(swept)
    }

    async fn find_abandoned(&self) -> Result<Vec<AbandonedUpload>, DbError> {
        let (process, alive, lease) = (Some(self.policy.writer), self.live.ids(), self.lease);
        let find = move |conn: &mut _| writers::abandoned(conn, process, &alive, lease);
        self.db.run(Lane::Reads, PATIENCE, find).await
    }

    /// How many uploads are neither known to be abandoned nor known to be alive: nobody has held a lease for as long as
    /// that takes to find out.
    pub async fn undecided(&self) -> Result<usize, DbError> {
        Ok(self.find_abandoned().await?.iter().filter(|upload| !upload.proven).count())
    }

    /// Marks what everybody takes for expired already.
    async fn expire_requests(&self) -> Result<usize, DbError> {
        let mut expired = 0;
        loop {
            let some = self
                .db
                .run(Lane::Reads, PATIENCE, |conn| backup_requests::expire(conn, EXPIRED_AT_ONCE))
                .await?;
            expired += some;
            if i64::try_from(some).is_ok_and(|some| some < EXPIRED_AT_ONCE) {
                return Ok(expired);
            }
        }
    }

    /// Removes what unfinished puts have left in the store, and says how much that was.
    async fn tidy(&self) -> Result<usize, TaskError> {
        let found = self.store.find_leftovers().await?;
        let left = without_writer(&self.db, found).await?;
        fail_point!("sweep.looked");
        Ok(self.store.remove_leftovers(&left).await?)
    }

    /// Takes one upload back; `false` if somebody else was quicker, or it was stored after all.
    async fn take_back(&self, upload: AbandonedUpload) -> Result<bool, DbError> {
        let AbandonedUpload { id, system_id, org_id, object_key, proven: _ } = upload;
        let org = OrgId::parse(&org_id).map_err(|e| DbError::Failed(e.to_string()))?;
        let abort = Operation::Abort(Abort { system_id, backup: id, release_rate_slot: true });
        let share = OrgBatch::new(org, vec![abort]);
        let policy = self.policy.clone();
        let work = move |conn: &mut _| accounting::run(conn, &policy, &share);
        let outcomes = self.db.run(Lane::Accounting, PATIENCE, work).await?;
        if outcomes != [OperationOutcome::Aborted] {
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
