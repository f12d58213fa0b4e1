//! The only module that uses actix actors. Other modules use handles with plain async methods.
//!
//! The actors make accounting fast and order it within this process. Its correctness does not depend on them: it comes from
//! the locked transactions in `db::accounting`, and holds for any number of processes.

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

/// The actors of this process, and the thread that they run on.
pub struct Actors {
    pub orgs: OrgActors,
    pub rate_refusals: RateRefusalCache,
    arbiter: Arbiter,
}

impl Actors {
    /// Starts the actors. The caller has to be within the HTTP server's actix system.
    pub fn start(db: Db, policy: AccountingPolicy, metrics: Metrics) -> Self {
        let arbiter = Arbiter::new();
        let orgs = OrgActors::new(db, policy, metrics, arbiter.handle());
        Self { orgs, rate_refusals: RateRefusalCache::start(&arbiter.handle()), arbiter }
    }

    /// Ends the actors' thread. Messages to the actors fail afterwards.
    pub fn stop(self) {
        self.arbiter.stop();
    }
}
