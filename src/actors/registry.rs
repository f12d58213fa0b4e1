//! The handle of the organizations' actors: finds the actor of an organization, or starts it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle};

use super::directory::Directory;
use super::group_commit::GroupCommit;
use super::org_actor::{OrgActor, RecordRefusal, Shared, Submit};
use super::quota_contention::QuotaContention;
use crate::db::accounting::{AccountingPolicy, Operation, OperationOutcome, RefusedUpload};
use crate::db::{Db, DbError};
use crate::domain::ids::OrgId;
use crate::telemetry::Metrics;

/// The actors of all organizations in this process; cheap to clone.
#[derive(Clone)]
pub struct OrgActors {
    shared: Arc<Shared>,
    arbiter: ArbiterHandle,
}

/// An actor may stop between the look-up and the message; then another one is started.
const LOOKUPS: usize = 3;

impl OrgActors {
    /// Actors will live on `arbiter`.
    pub fn new(db: Db, policy: AccountingPolicy, metrics: Metrics, arbiter: ArbiterHandle) -> Self {
        let shared = Arc::new(Shared {
            directory: Directory::default(),
            contention: QuotaContention::default(),
            commits: GroupCommit::new(db, policy, metrics),
        });
        Self { shared, arbiter }
    }

    /// Runs one accounting operation, in order with all others that this process runs for the organization. What fails for
    /// a transient reason is tried again for `retry_for`.
    pub async fn submit(
        &self,
        org: &OrgId,
        operation: Operation,
        retry_for: Duration,
    ) -> Result<OperationOutcome, DbError> {
        for _ in 0..LOOKUPS {
            let message = Submit { operation: operation.clone(), retry_for };
            // An error means that the actor has stopped; it stops only when it has nothing to do.
            if let Ok(outcome) = self.actor_of(org).send(message).await {
                return outcome;
            }
        }
        Err(DbError::Busy)
    }

    /// Whether uploads have lately been refused for what open uploads have reserved.
    pub fn is_contended(&self, org: &OrgId) -> bool {
        self.shared.contention.is_contended(org, Instant::now())
    }

    /// Records that an upload was refused; the next transaction writes it to the history.
    pub fn record_refusal(&self, org: &OrgId, refusal: RefusedUpload) {
        self.actor_of(org).do_send(RecordRefusal(refusal));
    }

    fn actor_of(&self, org: &OrgId) -> Addr<OrgActor> {
        self.shared.directory.get_or_start(org, || {
            let actor = OrgActor::new(org.clone(), Arc::clone(&self.shared));
            OrgActor::start_in_arbiter(&self.arbiter, |_| actor)
        })
    }
}
