//! Finds the actor of an organization, starting it on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle};

use super::group_commit::GroupCommit;
use super::org_actor::{OrgActor, RecordRefusal, Submit};
use super::quota_contention::QuotaContention;
use crate::db::accounting::{AccountingPolicy, Operation, OperationOutcome, RefusedUpload};
use crate::db::{Db, DbError};
use crate::domain::ids::OrgId;
use crate::telemetry::Metrics;

/// The books of all organizations, as far as this process is concerned; cheap to clone.
#[derive(Clone)]
pub struct OrgActors(Arc<Registry>);

pub(super) struct Registry {
    actors: Mutex<HashMap<OrgId, Addr<OrgActor>>>,
    contended: QuotaContention,
    arbiter: ArbiterHandle,
    pub commits: GroupCommit,
}

/// An actor may stop between being looked up and being sent to; then another one is started.
const LOOKUPS: usize = 3;

impl OrgActors {
    /// Actors will live on `arbiter`.
    pub fn new(db: Db, policy: AccountingPolicy, metrics: Metrics, arbiter: ArbiterHandle) -> Self {
        Self(Arc::new(Registry {
            actors: Mutex::default(),
            contended: QuotaContention::default(),
            arbiter,
            commits: GroupCommit::new(db, policy, metrics),
        }))
    }

    /// Does one thing to an organization's books, in order with everything else that this process
    /// does to them. What fails for a passing reason is tried again for `patience`.
    pub async fn submit(
        &self,
        org: &OrgId,
        operation: Operation,
        patience: Duration,
    ) -> Result<OperationOutcome, DbError> {
        for _ in 0..LOOKUPS {
            let message = Submit { operation: operation.clone(), patience };
            // An error says that the actor has stopped; it does so only when it has nothing to do.
            if let Ok(outcome) = self.0.actor_of(org).send(message).await {
                return outcome;
            }
        }
        Err(DbError::Busy)
    }

    /// Whether uploads have lately been turned away for what those under way have reserved.
    pub fn is_contended(&self, org: &OrgId) -> bool {
        self.0.contended.is(org, Instant::now())
    }

    /// Remembers that an upload was turned away; the next transaction writes it down.
    pub fn record_refusal(&self, org: &OrgId, refusal: RefusedUpload) {
        self.0.actor_of(org).do_send(RecordRefusal(refusal));
    }
}

impl Registry {
    fn actor_of(self: &Arc<Self>, org: &OrgId) -> Addr<OrgActor> {
        let mut actors = self.lock();
        if let Some(actor) = actors.get(org).filter(|actor| actor.connected()) {
            return actor.clone();
        }
        let actor = OrgActor::new(org.clone(), Arc::clone(self));
        let address = OrgActor::start_in_arbiter(&self.arbiter, |_| actor);
        actors.insert(org.clone(), address.clone());
        address
    }

    /// An upload was turned away for what others have reserved.
    pub fn record_contention(&self, org: &OrgId) {
        self.contended.note(org, Instant::now());
    }

    /// An idle actor takes its leave.
    pub fn forget(&self, org: &OrgId, actor: &Addr<OrgActor>) {
        let mut actors = self.lock();
        if actors.get(org) == Some(actor) {
            actors.remove(org);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, Addr<OrgActor>>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
