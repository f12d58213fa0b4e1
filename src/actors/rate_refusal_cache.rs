//! Turns a flood away in memory, so that it never reaches Postgres.
//!
//! The actor remembers only until when the database refused a system. A slot that is given back
//! raises the system's `window_epoch`, and an older refusal is forgotten.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message};
use uuid::Uuid;

#[derive(Clone, Copy)]
struct Refused {
    until: Instant,
    epoch: i64,
}

#[derive(Default)]
struct RateRefusalActor {
    refused: HashMap<Uuid, Refused>,
}

#[derive(Message)]
#[rtype(result = "Option<Duration>")]
struct Check {
    system: Uuid,
    epoch: i64,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Remember {
    system: Uuid,
    refused: Refused,
}

impl Actor for RateRefusalActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
        ctx.run_interval(Duration::from_mins(1), |actor, _| {
            let now = Instant::now();
            actor.refused.retain(|_, refused| refused.until > now);
        });
    }
}

impl Handler<Check> for RateRefusalActor {
    type Result = Option<Duration>;

    fn handle(&mut self, check: Check, _: &mut Self::Context) -> Self::Result {
        let refused = self.refused.get(&check.system)?;
        let left = refused.until.saturating_duration_since(Instant::now());
        if left.is_zero() || check.epoch > refused.epoch {
            self.refused.remove(&check.system);
            return None;
        }
        Some(left)
    }
}

impl Handler<Remember> for RateRefusalActor {
    type Result = ();

    fn handle(&mut self, message: Remember, _: &mut Self::Context) {
        self.refused.insert(message.system, message.refused);
    }
}

/// The handle; cheap to clone.
#[derive(Clone)]
pub struct RateRefusalCache(Addr<RateRefusalActor>);

impl RateRefusalCache {
    /// Starts the actor on `arbiter`.
    pub fn start(arbiter: &ArbiterHandle) -> Self {
        Self(RateRefusalActor::start_in_arbiter(arbiter, |_| RateRefusalActor::default()))
    }

    /// How long the system has to wait, in whole seconds rounded up; `None`: the database decides.
    /// `epoch` is the system's `window_epoch` as its credential was last read.
    pub async fn check(&self, system: Uuid, epoch: i64) -> Option<u64> {
        // If the actor should be gone the database still decides, and exactly.
        let left = self.0.send(Check { system, epoch }).await.ok().flatten()?;
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// The database refused the system; `asked` is when it was asked.
    pub fn refused(&self, system: Uuid, epoch: i64, asked: Instant, retry_after_seconds: u64) {
        let until = asked + Duration::from_secs(retry_after_seconds);
        self.0.do_send(Remember { system, refused: Refused { until, epoch } });
    }
}
