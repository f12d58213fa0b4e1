//! The only room that names actix actors. Outward there are handles with plain async methods.
//!
//! Actors make accounting fast and orderly; they are never what makes it right: that are the
//! locked transactions in `db::accounting`, which hold for any number of processes.

mod crowded;
mod group_commit;
mod no_room;
mod org_quota;
mod rate_limit;
mod refusals;
mod registry;

pub use rate_limit::RateLimiter;
pub use registry::OrgQuotas;

use actix::Arbiter;

use crate::db::Db;
use crate::db::accounting::Policy;
use crate::telemetry::Metrics;

/// The actors of this process and the thread that they live on.
pub struct Actors {
    pub orgs: OrgQuotas,
    pub rate: RateLimiter,
    arbiter: Arbiter,
}

impl Actors {
    /// Starts them; to be called within the HTTP server's system.
    pub fn start(db: Db, policy: Policy, metrics: Metrics) -> Self {
        let arbiter = Arbiter::new();
        let orgs = OrgQuotas::new(db, policy, metrics, arbiter.handle());
        Self { orgs, rate: RateLimiter::start(&arbiter.handle()), arbiter }
    }

    /// Ends their thread. What is asked of them afterwards is an error.
    pub fn stop(self) {
        self.arbiter.stop();
    }
}
