//! The steps of an erasure. The service runs them in a task, and `strongroom system destroy` at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::{join_all, try_join_all};
use tokio::time::timeout;
use uuid::Uuid;

use super::super::TaskError;
use crate::backups::Vault;
use crate::db::accounting::{
    self, Abort, AccountingPolicy, Delete, DeletedBy, Operation, OrgBatch, UploadFailure,
};
use crate::db::erasures::{self, Erasure};
use crate::db::systems::{self, OpenRow};
use crate::db::{Conn, Db, DbError, Lane, purge};
use crate::domain::author::Author;
use crate::domain::erasure::ErasurePhase;
use crate::domain::failure_reason::FailureReason;
use crate::domain::ids::{OrgId, SystemKey};
use crate::domain::object_key::ObjectKey;
use crate::store::{BlobStore, StoreError};

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Operations that run at a time, so that the organization's uploads can run in between.
const OPERATIONS: usize = 64;
/// Objects deleted at the same time; after each batch it is recorded how many are left.
const CONCURRENT_DELETIONS: usize = 8;
const DELETION_TIMEOUT: Duration = Duration::from_secs(10);
/// Object keys in one query.
const KEYS: usize = 1000;

/// How the accounting is changed.
pub enum Accounting {
    /// By the organizations' actors, in order with the other changes of this process.
    Actors(Arc<Vault>),
    /// In a transaction of its own, under the same locks: for commands.
    Direct(AccountingPolicy),
}

/// Erases systems.
pub struct Eraser {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
    pub accounting: Accounting,
}

/// What was done for one erasure so far.
#[derive(Debug, Default)]
pub struct ErasureProgress {
    /// Backups and uploads that were taken out of the accounting.
    pub retired: usize,
    /// Objects that were deleted.
    pub objects: u64,
}

impl Eraser {
    /// Erases everything of a system that is marked as being destroyed, except the rows of failed uploads that are not over yet,
    /// and its own row. Calls `deleted` with the number of objects that were deleted, again and again.
    ///
    /// 1. Count the objects.
    /// 2. Retire all backups, and abort all uploads. The system is marked, so none is added.
    /// 3. Delete the objects until none is left, also those that have no row.
    /// 4. Drop the rows of the backups.
    pub async fn erase(
        &self,
        erasure: &Erasure,
        progress: &mut ErasureProgress,
        deleted: &(dyn Fn(u64) + Sync),
    ) -> Result<(), TaskError> {
        let id = erasure.system_id;
        let invalid = |error: crate::domain::ids::InvalidName| DbError::Failed(error.to_string());
        let org = OrgId::parse(&erasure.org_id).map_err(invalid)?;
        let key = SystemKey::parse(&erasure.system_key).map_err(invalid)?;
        let prefix = ObjectKey::prefix_of(&org, &key);
        if erasure.objects_left.is_none() {
            // Before anything is retired: a purge could delete an object that nobody has counted.
            self.list_objects(id, &prefix).await?;
        }
        fail_point!("erase.counted");
        self.retire_everything(erasure, &org, progress).await?;
        fail_point!("erase.retired");
        self.query(move |conn| erasures::set_phase(conn, id, ErasurePhase::Deleting)).await?;
        self.delete_objects(id, &prefix, progress, deleted).await?;
        fail_point!("erase.objects_deleted");
        self.drop_rows(id, &prefix).await?;
        fail_point!("erase.rows_dropped");
        self.query(move |conn| erasures::set_phase(conn, id, ErasurePhase::Waiting)).await?;
        fail_point!("erase.waiting");
        Ok(())
    }

    async fn retire_everything(
        &self,
        erasure: &Erasure,
        org: &OrgId,
        progress: &mut ErasureProgress,
    ) -> Result<(), TaskError> {
        let id = erasure.system_id;
        let mut before = usize::MAX;
        loop {
            let rows = self.query(move |conn| systems::open_rows(conn, id)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            if rows.len() >= before {
                let stuck = format!("{} backups of the system {id} can't be retired", rows.len());
                return Err(DbError::Failed(stuck).into());
            }
            before = rows.len();
            let operations: Vec<_> = rows.into_iter().map(|row| operation(erasure, row)).collect();
            for step in operations.chunks(OPERATIONS) {
                self.accounting.run(&self.db, org, step.to_vec()).await?;
                progress.retired += step.len();
            }
        }
    }

    async fn delete_objects(
        &self,
        id: Uuid,
        prefix: &str,
        progress: &mut ErasureProgress,
        deleted: &(dyn Fn(u64) + Sync),
    ) -> Result<(), TaskError> {
        loop {
            let objects = self.list_objects(id, prefix).await?;
            if objects.is_empty() {
                return Ok(());
            }
            let mut left = objects.len() as u64;
            for batch in objects.chunks(CONCURRENT_DELETIONS) {
                let results = join_all(batch.iter().map(|key| self.delete(key))).await;
                let count = results.iter().filter(|result| result.is_ok()).count() as u64;
                progress.objects += count;
                deleted(progress.objects);
                left -= count;
                self.query(move |conn| erasures::record_objects_left(conn, id, left)).await?;
                results.into_iter().collect::<Result<Vec<()>, _>>()?;
            }
        }
    }

    /// Lists the objects of the system, and records their number.
    async fn list_objects(&self, id: Uuid, prefix: &str) -> Result<Vec<ObjectKey>, TaskError> {
        let listed = self.store.list(prefix).map_ok(|object| object.key);
        let mut objects: Vec<ObjectKey> = listed.try_collect().await?;
        fail_point!("erase.listed");
        // Read before the rows: a mark is removed only when the row is there.
        let marked = self.store.marked().await?;
        let keys: Vec<String> = objects.iter().map(ObjectKey::to_string).collect();
        for keys in keys.chunks(KEYS) {
            let keys = keys.to_vec();
            let others = self.query(move |conn| erasures::keys_of_other_systems(conn, id, &keys)).await?;
            objects.retain(|key| !others.contains(key.as_str()));
        }
        // While the system has its row, nobody else has its key, and the listing is older. Otherwise an object without a row may be
        // about to become a backup of a new system with the same key.
        if !self.query(move |conn| erasures::is_under_way(conn, id)).await? {
            objects.retain(|key| !marked.contains(key));
        }
        let left = objects.len() as u64;
        self.query(move |conn| erasures::record_objects_left(conn, id, left)).await?;
        Ok(objects)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let late = |_| StoreError::Unavailable {
            doing: "delete the object",
            source: io::Error::from(io::ErrorKind::TimedOut),
        };
        timeout(DELETION_TIMEOUT, self.store.delete(key)).await.map_err(late)??;
        fail_point!("erase.deleted");
        Ok(())
    }

    /// Drops the rows of the backups, whose objects are deleted. An object whose key does not begin like the system's others was
    /// not among them.
    async fn drop_rows(&self, id: Uuid, prefix: &str) -> Result<(), TaskError> {
        let claimed = self.query(move |conn| purge::claim_of_system(conn, id)).await?;
        for row in claimed.iter().filter(|row| !row.object_key.starts_with(prefix)) {
            let invalid = |_| DbError::Failed(format!("{:?} is no object key", row.object_key));
            self.delete(&ObjectKey::parse(&row.object_key).map_err(invalid)?).await?;
        }
        let ids: Vec<_> = claimed.into_iter().map(|row| row.id).collect();
        Ok(self.query(move |conn| purge::drop_rows(conn, &ids)).await?)
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnMut(&mut Conn) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        self.db.run(Lane::Tasks, QUERY_TIMEOUT, query).await
    }
}

impl Accounting {
    /// Runs the operations. Their outcomes do not matter: the rows are read again afterwards.
    async fn run(&self, db: &Db, org: &OrgId, operations: Vec<Operation>) -> Result<(), DbError> {
        match self {
            Self::Actors(vault) => {
                let submit = |operation| vault.orgs.submit(org, operation, QUERY_TIMEOUT);
                try_join_all(operations.into_iter().map(submit)).await?;
            }
            Self::Direct(policy) => {
                let (policy, batch) = (policy.clone(), OrgBatch::new(org.clone(), operations));
                let work = move |conn: &mut _| accounting::run(conn, &policy, &batch);
                db.run(Lane::Accounting, QUERY_TIMEOUT, work).await?;
            }
        }
        Ok(())
    }
}

fn operation(erasure: &Erasure, row: OpenRow) -> Operation {
    let system_id = erasure.system_id;
    match row {
        OpenRow::Stored(backup) => {
            let sub = &erasure.requested_by;
            let by = if sub == Author::Operator.name() {
                DeletedBy::Operator
            } else {
                DeletedBy::Caller(sub.clone())
            };
            Operation::Delete(Delete { system_id, backup, by, remote_addr: None, attempted_before: false })
        }
        OpenRow::Receiving(backup) => {
            let failure = Some(UploadFailure { reason: FailureReason::Revoked, received: None });
            Operation::Abort(Abort { system_id, backup, release_rate_slot: false, failure, refused: None })
        }
    }
}
