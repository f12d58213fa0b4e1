//! The only module that names actix actors. To others it offers handles with plain async methods.
//!
//! Actors make accounting fast and orderly. They do not make it correct: the locked transactions in `db::accounting` do, and
//! those hold for any number of processes.

mod directory;
mod group_commit;
mod org_actor;
mod pending;
mod quota_contention;
mod quota_refusal_cache;
mod rate_refusal_cache;
mod refused_uploads;
mod registry;

pub use rate_refusal_cache::RateRefusalCache;
pub use registry::OrgActors;

use actix::Arbiter;

use crate::db::Db;
use crate::db::accounting::AccountingPolicy;
use crate::telemetry::Metrics;

/// The actors of this process and the thread that they live on.
pub struct Actors {
    pub orgs: OrgActors,
    pub rate_refusals: RateRefusalCache,
    arbiter: Arbiter,
}

impl Actors {
    /// Starts the actors. Has to be called within the HTTP server's actix system.
    pub fn start(db: Db, policy: AccountingPolicy, metrics: Metrics) -> Self {
        let arbiter = Arbiter::new();
        let orgs = OrgActors::new(db, policy, metrics, arbiter.handle());
        Self { orgs, rate_refusals: RateRefusalCache::start(&arbiter.handle()), arbiter }
    }

    /// Ends the actors' thread. Messages to them fail afterwards.
    pub fn stop(self) {
        self.arbiter.stop();
    }
}
