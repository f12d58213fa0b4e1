//! The handle to the organizations' actors. It finds the actor of an organization, or starts one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::directory::Directory;
use super::group_commit::GroupCommit;
use super::org_actor::{ActorResources, FlushRefusals, OrgActor, RecordRefusal, Submit};
use super::quota_contention::QuotaContention;
use crate::db::accounting::{AccountingPolicy, Operation, OperationOutcome, RefusedUpload};
use crate::db::{Db, DbError};
use crate::domain::ids::OrgId;
use crate::telemetry::Metrics;

/// The actors of all organizations in this process; cheap to clone.
#[derive(Clone)]
pub struct OrgActors {
    shared: Arc<ActorResources>,
    arbiter: ArbiterHandle,
}

/// How many times an actor is looked up for one message: it may stop before the message arrives, and then another is started.
const LOOKUPS: usize = 3;
/// The pause between two looks whether the refusals are written.
const FLUSH_PAUSE: Duration = Duration::from_millis(20);

impl OrgActors {
    /// Makes the handle. The actors will run on `arbiter`.
    pub fn new(db: Db, policy: AccountingPolicy, metrics: Metrics, arbiter: ArbiterHandle) -> Self {
        let shared = Arc::new(ActorResources {
            directory: Directory::default(),
            contention: QuotaContention::default(),
            commits: GroupCommit::new(db, policy, metrics),
        });
        Self { shared, arbiter }
    }

    /// Runs one operation of accounting, in order with all others of this process for the organization. After a transient
    /// error the operation is tried again until `retry_for` is over.
    pub async fn submit(
        &self,
        org: &OrgId,
        operation: Operation,
        retry_for: Duration,
    ) -> Result<OperationOutcome, DbError> {
        for _ in 0..LOOKUPS {
            let message = Submit { operation: operation.clone(), retry_for };
            // An error means that the actor has stopped without running the operation: it stops only without work.
            if let Ok(outcome) = self.actor_of(org).send(message).await {
                return outcome;
            }
        }
        Err(DbError::Busy)
    }

    /// Whether uploads were refused within the last minute because open uploads have reserved the space.
    pub fn is_contended(&self, org: &OrgId) -> bool {
        self.shared.contention.is_contended(org, Instant::now())
    }

    /// Records that an upload was refused. The next transaction writes it to the history.
    pub fn record_refusal(&self, org: &OrgId, refusal: RefusedUpload) {
        self.actor_of(org).do_send(RecordRefusal(refusal));
    }

    /// Writes all refusals that are not written yet, before the process ends. Gives up after `limit`.
    pub async fn write_refusals(&self, limit: Duration) {
        // At the same time: one whose rows are locked must not delay the others.
        let all_written = join_all(self.shared.directory.all().into_iter().map(|actor| async move {
            // An actor that has stopped has none.
            while !actor.send(FlushRefusals).await.unwrap_or(true) {
                sleep(FLUSH_PAUSE).await;
            }
        }));
        if timeout(limit, all_written).await.is_err() {
            log::warn!(
                "some refused uploads are not in the status of their systems: the database did not answer in time"
            );
        }
    }

    fn actor_of(&self, org: &OrgId) -> Addr<OrgActor> {
        self.shared.directory.get_or_start(org, || {
            let actor = OrgActor::new(org.clone(), Arc::clone(&self.shared));
            OrgActor::start_in_arbiter(&self.arbiter, |_| actor)
        })
    }
}
