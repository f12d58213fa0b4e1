//! Cleans up after processes that died: rolls their uploads back, and removes their unfinished writes from the store. Also
//! marks backup requests that were not fulfilled in time as expired.
//!
//! A roll back always retires the row first and deletes the object second. The row stays as a tombstone, which the purge
//! deletes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use uuid::Uuid;

use super::ahead::Ahead;
use super::delete_object::delete_object;
use super::leftovers::without_upload;
use super::supervisor::{Period, Supervisor, TaskDefinition};
use super::{TaskError, db_failure};
use crate::backups::{EventLimit, LiveUploads};
use crate::db::accounting::{
    self, Abort, AccountingPolicy, Operation, OperationOutcome, OrgBatch, UploadFailure,
};
use crate::db::writers::{self, AbandonedUpload};
use crate::db::{Db, DbError, Lane, backup_requests};
use crate::domain::failure_reason::FailureReason;
use crate::domain::ids::OrgId;
use crate::domain::refusal::RefusalReason;
use crate::store::BlobStore;

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Backup requests that one statement marks as expired.
const EXPIRE_BATCH: i64 = 1000;

/// A bucket with millions of objects takes long to list.
const MAX_RUN: Duration = Duration::from_hours(1);

/// The result of a sweep.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// Uploads of dead processes that were rolled back.
    pub uploads: usize,
    /// Unfinished writes that were removed from the store.
    pub leftovers: usize,
    /// Backup requests that were marked as expired.
    pub expired: usize,
    /// Steps that failed, and that a later sweep repeats.
    pub failed: usize,
    /// The first panic of a roll back, if there was one.
    pub panic: Option<Box<dyn Any + Send>>,
}

/// Sweeps, once or at an interval.
pub struct Sweeper {
    db: Db,
    store: Arc<dyn BlobStore>,
    policy: AccountingPolicy,
    lease: Duration,
    /// The uploads of this process.
    live: LiveUploads,
    /// Limits the events of rolled back uploads, by system.
    recorded: EventLimit<Uuid>,
    ahead: Ahead,
}

impl Sweeper {
    /// Returns a sweeper for the command line, whose process has no uploads of its own. Services may sweep at the same time.
    pub fn by_hand(db: Db, store: Arc<dyn BlobStore>, policy: AccountingPolicy, lease: Duration) -> Self {
        Self::new(db, store, policy, lease, LiveUploads::default())
    }

    /// Returns the sweeper of a process with these uploads.
    pub fn new(
        db: Db,
        store: Arc<dyn BlobStore>,
        policy: AccountingPolicy,
        lease: Duration,
        live: LiveUploads,
    ) -> Self {
        Self { db, store, policy, lease, live, recorded: EventLimit::default(), ahead: Ahead::default() }
    }

    /// Starts to sweep at this interval.
    pub fn start(self, supervisor: &Supervisor, interval: Duration) {
        let task = TaskDefinition::new("sweep", Period::SinceStart(interval)).max_run(MAX_RUN);
        let sweeper = Arc::new(self);
        supervisor.spawn(task, move || {
            let sweeper = Arc::clone(&sweeper);
            async move {
                let report = sweeper.run_once().await.map_err(db_failure)?;
                if report.uploads > 0 {
                    log::info!("sweep: rolled back {} uploads of dead processes", report.uploads);
                }
                // All the rest is swept. The run ends as a panic, which health and the metrics show.
                report.panic.map_or(Ok(()), |panic| resume_unwind(panic))
            }
        });
    }

    /// Sweeps once.
    pub async fn run_once(&self) -> Result<SweepReport, DbError> {
        let uploads = self.find_abandoned().await?;
        let mut report = SweepReport::default();
        fail_point!("sweep.found");
        for upload in uploads.into_iter().filter(|upload| upload.proven) {
            let id = upload.id;
            // Neither a failure nor a panic stops the rest.
            match AssertUnwindSafe(self.roll_back(upload)).catch_unwind().await {
                Ok(Ok(rolled_back)) => report.uploads += usize::from(rolled_back),
                Ok(Err(error)) => {
                    log::warn!("could not roll back the upload {id}: {error}; the next sweep tries again");
                    report.failed += 1;
                }
                Err(panic) => {
                    log::warn!("the roll back of the upload {id} panicked; the next sweep tries again");
                    report.failed += 1;
                    report.panic.get_or_insert(panic);
                }
            }
        }
        match self.sweep_rest(&mut report).await {
            // An outage must not hide the panic.
            Err(error) if report.panic.is_some() => {
                log::warn!("could not finish the sweep: {error}; the next sweep tries again");
                report.failed += 1;
                Ok(report)
            }
            rest => rest.map(|()| report),
        }
    }

    /// Sweeps everything but the uploads.
    async fn sweep_rest(&self, report: &mut SweepReport) -> Result<(), DbError> {
        let lease = self.lease;
        self.db.run(Lane::Tasks, QUERY_TIMEOUT, move |conn| writers::forget_gone(conn, lease)).await?;
        report.expired = self.expire_requests().await?;
        match self.remove_leftovers().await {
            Ok((removed, failed)) => {
                report.leftovers = removed;
                report.failed += failed;
            }
            Err(TaskError::Store(error)) => {
                log::warn!("sweep: {error}");
                report.failed += 1;
            }
            Err(TaskError::Db(error)) => return Err(error),
        }
        Ok(())
    }

    async fn find_abandoned(&self) -> Result<Vec<AbandonedUpload>, DbError> {
        let (process, alive, lease) = (Some(self.policy.writer), self.live.ids(), self.lease);
        let find = move |conn: &mut _| writers::abandoned(conn, process, &alive, lease);
        self.db.run(Lane::Tasks, QUERY_TIMEOUT, find).await
    }

    /// Returns the number of uploads that are neither known to be abandoned nor known to be alive: no process has held a lease
    /// for long enough to tell.
    pub async fn undecided(&self) -> Result<usize, DbError> {
        Ok(self.find_abandoned().await?.iter().filter(|upload| !upload.proven).count())
    }

    /// Marks the backup requests that are past their time as expired. Every reader already treats them as expired.
    async fn expire_requests(&self) -> Result<usize, DbError> {
        let mut expired = 0;
        loop {
            let changed = self
                .db
                .run(Lane::Tasks, QUERY_TIMEOUT, |conn| backup_requests::expire(conn, EXPIRE_BATCH))
                .await?;
            expired += changed;
            if i64::try_from(changed).is_ok_and(|changed| changed < EXPIRE_BATCH) {
                return Ok(expired);
            }
        }
    }

    /// Removes the unfinished writes that no upload owns from the store, and the objects whose uploads have ended before their row was
    /// there. Returns how many it has removed, and how many it could not.
    async fn remove_leftovers(&self) -> Result<(usize, usize), TaskError> {
        let found = self.store.find_leftovers().await?;
        let left = without_upload(&self.db, found).await?;
        fail_point!("sweep.looked");
        let removed = self.store.remove_leftovers(&left).await?;
        let settled = self.ahead.settle(&self.db, self.store.as_ref()).await?;
        Ok((removed + settled.deleted, settled.failed))
    }

    /// Rolls one upload back. Returns `false` if another process did it before, or if the upload was stored after all.
    async fn roll_back(&self, upload: AbandonedUpload) -> Result<bool, DbError> {
        fail_point!("sweep.upload", upload.id);
        let AbandonedUpload { id, system_id, org_id, object_key, proven: _ } = upload;
        let org = OrgId::parse(&org_id).map_err(|e| DbError::Failed(e.to_string()))?;
        let failure = UploadFailure { reason: FailureReason::ProcessDied, received: None };
        let failure = self.recorded.permits(system_id).then_some(failure);
        let refused = Some(RefusalReason::of_failure(FailureReason::ProcessDied));
        let abort = Abort { system_id, backup: id, release_rate_slot: true, failure, refused };
        let batch = OrgBatch::new(org, vec![Operation::Abort(abort)]);
        let policy = self.policy.clone();
        let work = move |conn: &mut _| accounting::run(conn, &policy, &batch);
        let outcomes = self.db.run(Lane::Accounting, QUERY_TIMEOUT, work).await?;
        if outcomes != [OperationOutcome::Aborted] {
            return Ok(false);
        }
        fail_point!("sweep.retired");
        if let Err(error) = delete_object(self.store.as_ref(), &object_key).await {
            log::warn!(
                "could not delete the object of the upload {id}: {error}; the purge of its row tries again"
            );
        }
        Ok(true)
    }
}
