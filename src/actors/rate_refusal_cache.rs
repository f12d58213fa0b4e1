//! The rate refusal cache: remembers which systems the database has refused for their rate limit, and until when. So a flood is
//! refused from memory and does not reach Postgres.
//!
//! When a slot of a system's rate limit is released, the system's `window_epoch` increases, and an older refusal is forgotten.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message};
use uuid::Uuid;

#[derive(Clone, Copy)]
struct RateRefusal {
    until: Instant,
    epoch: i64,
}

#[derive(Default)]
struct RateRefusalActor {
    refusals: HashMap<Uuid, RateRefusal>,
}

#[derive(Message)]
#[rtype(result = "Option<Duration>")]
struct Get {
    system: Uuid,
    epoch: i64,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Insert {
    system: Uuid,
    refusal: RateRefusal,
}

impl Actor for RateRefusalActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
        ctx.run_interval(Duration::from_mins(1), |actor, _| {
            let now = Instant::now();
            actor.refusals.retain(|_, refusal| refusal.until > now);
        });
    }
}

impl Handler<Get> for RateRefusalActor {
    type Result = Option<Duration>;

    fn handle(&mut self, get: Get, _: &mut Self::Context) -> Self::Result {
        let refusal = self.refusals.get(&get.system)?;
        let left = refusal.until.saturating_duration_since(Instant::now());
        if left.is_zero() || get.epoch > refusal.epoch {
            self.refusals.remove(&get.system);
            return None;
        }
        Some(left)
    }
}

impl Handler<Insert> for RateRefusalActor {
    type Result = ();

    fn handle(&mut self, message: Insert, _: &mut Self::Context) {
        self.refusals.insert(message.system, message.refusal);
    }
}

/// The handle of the cache; cheap to clone.
#[derive(Clone)]
pub struct RateRefusalCache(Addr<RateRefusalActor>);

impl RateRefusalCache {
    /// Starts the actor on `arbiter`.
    pub fn start(arbiter: &ArbiterHandle) -> Self {
        Self(RateRefusalActor::start_in_arbiter(arbiter, |_| RateRefusalActor::default()))
    }

    /// Returns how long the system has to wait, in whole seconds rounded up; `None`: the database decides. `epoch` is the
    /// system's `window_epoch`, as it was last read with the credential.
    pub async fn check(&self, system: Uuid, epoch: i64) -> Option<u64> {
        // If the actor is gone, the database decides.
        let left = self.0.send(Get { system, epoch }).await.ok().flatten()?;
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// Records that the database has refused the system. `queried_at` is the time when the query was sent.
    pub fn refused(&self, system: Uuid, epoch: i64, queried_at: Instant, retry_after_seconds: u64) {
        let until = queried_at + Duration::from_secs(retry_after_seconds);
        self.0.do_send(Insert { system, refusal: RateRefusal { until, epoch } });
    }
}
