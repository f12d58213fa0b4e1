//! One actor per organization in use: it serialises what this process does to the books.
//!
//! It keeps one transaction in flight. What arrives meanwhile goes together into the next one
//! (group commit): a busy organization costs one row lock and one fsync a batch. Organizations share
//! transactions, too: `group_commit`.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::group_commit::{Ended, mark_attempted};
use super::quota_refusal_cache::QuotaRefusalCache;
use super::refused_uploads::RefusedUploads;
use super::registry::Registry;
use crate::db::DbError;
use crate::db::accounting::{Operation, OperationOutcome, OrgBatch, RefusedUpload};
use crate::domain::ids::OrgId;

/// Operations that share a transaction.
const MAX_BATCH: usize = 64;
/// After this long without work the actor stops; the next operation starts it again.
const IDLE: Duration = Duration::from_mins(5);
/// How long one transaction is tried before what has arrived meanwhile joins it: whoever is patient
/// must not hold up whoever is not.
const ATTEMPT: Duration = Duration::from_secs(1);
/// What an operation may take beyond its patience, when its last attempt is under way: a wait for a lock
/// has ended by then (the connections' `lock_timeout`), and the outcome is known.
const GRACE: Duration = Duration::from_millis(3500);
/// A patience shorter than this is still worth an attempt.
const LEAST: Duration = Duration::from_millis(500);
/// How often an organization whose rows somebody else had is tried together with others before it waits for them alone:
/// another process that works for it has them for some milliseconds.
const TRIES: u32 = 4;
/// From one such attempt to the next.
const PAUSE: Duration = Duration::from_millis(3);
/// How long an organization keeps to itself after a shared transaction that may have failed for its sake.
const APART: Duration = Duration::from_secs(1);
/// RefusedUploads that no transaction takes along get one of their own after this.
const TICK: Duration = Duration::from_secs(1);

/// Asks for one operation.
#[derive(Message)]
#[rtype(result = "Result<OperationOutcome, DbError>")]
pub(super) struct Submit {
    pub operation: Operation,
    pub patience: Duration,
}

/// Something was turned away.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RecordRefusal(pub RefusedUpload);

/// An operation that waits for its turn.
struct Pending {
    operation: Operation,
    reply: oneshot::Sender<Result<OperationOutcome, DbError>>,
    /// Until then a failed attempt is repeated.
    deadline: Instant,
    /// From then on no attempt is started.
    expires: Instant,
    /// It was in a batch that failed on its data: it runs alone, so that one poisoned operation
    /// costs itself only.
    alone: bool,
    /// It was in a batch that failed: what it has come to is found by repeating it.
    tried: bool,
}

impl Pending {
    /// An attempt may have been committed.
    fn unsure(mut self) -> Self {
        mark_attempted(&mut self.operation);
        self.tried = true;
        self
    }
}

pub(super) struct OrgActor {
    org: OrgId,
    registry: Arc<Registry>,
    queue: VecDeque<Pending>,
    refusals: RefusedUploads,
    quota_refusals: QuotaRefusalCache,
    /// A transaction is under way, or waits to be tried again.
    in_flight: bool,
    /// How often it was left out of a shared transaction since the last that was done.
    left_out: u32,
    /// Until then its transactions are its own.
    apart_until: Instant,
    last_work: Instant,
}

impl OrgActor {
    pub fn new(org: OrgId, registry: Arc<Registry>) -> Self {
        Self {
            org,
            registry,
            queue: VecDeque::new(),
            refusals: RefusedUploads::default(),
            quota_refusals: QuotaRefusalCache::default(),
            in_flight: false,
            left_out: 0,
            apart_until: Instant::now(),
            last_work: Instant::now(),
        }
    }

    /// What goes into the next transaction: what frees room before what asks for it.
    fn next_batch(&mut self) -> Vec<Pending> {
        self.queue.make_contiguous().sort_by_key(|pending| pending.operation.needs_space());
        if self.queue.front().is_some_and(|first| first.alone) {
            return self.queue.pop_front().into_iter().collect();
        }
        let together = self.queue.iter().take_while(|pending| !pending.alone).count();
        self.queue.drain(..together.min(MAX_BATCH)).collect()
    }

    /// What nobody waits for any more is not started: whoever asked was told that it was not done.
    fn drop_expired(&mut self) {
        let now = Instant::now();
        self.queue.retain(|pending| pending.expires > now);
    }

    /// What has queued up behind a refusal that holds for it, too.
    fn answer_foreseen(&mut self, now: Instant) {
        let (queue, quota_refusals) = (&mut self.queue, &self.quota_refusals);
        for pending in std::mem::take(queue) {
            let foreseen = quota_refusals.foresees(&pending.operation, now).filter(|_| !pending.tried);
            match foreseen {
                Some(outcome) => drop(pending.reply.send(Ok(outcome))),
                None => queue.push_back(pending),
            }
        }
    }

    /// Starts the next transaction, if none is in flight and there is something to do.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.in_flight {
            return;
        }
        self.drop_expired();
        if self.queue.is_empty() && self.refusals.is_empty() {
            return;
        }
        self.in_flight = true;
        self.last_work = Instant::now();
        let batch = self.next_batch();
        let refusals = self.refusals.take();
        let transaction = self.transaction(&batch, refusals.clone());
        let done = transaction.into_actor(self).map(move |ended, actor, ctx| {
            // RefusedUploads alone that could not be written wait for the next tick.
            let wait = batch.is_empty() && matches!(ended, Ended::Failed { .. });
            actor.settle(batch, refusals, ended);
            let go_on = move |actor: &mut Self, ctx: &mut Context<Self>| {
                actor.in_flight = false;
                if !wait {
                    actor.pump(ctx);
                }
            };
            // Alone it waits for the rows; until then it would find them locked again.
            if (1..TRIES).contains(&actor.left_out) {
                ctx.run_later(PAUSE, go_on);
            } else {
                go_on(actor, ctx);
            }
        });
        ctx.spawn(done);
    }

    /// Together with other organizations, unless it has to be alone.
    fn transaction(
        &self,
        batch: &[Pending],
        refusals: Vec<RefusedUpload>,
    ) -> impl Future<Output = Ended> + use<> {
        let now = Instant::now();
        let nearest = batch.iter().map(|pending| pending.deadline.saturating_duration_since(now)).min();
        let patience = nearest.map_or(ATTEMPT, |nearest| nearest.min(ATTEMPT));
        let operations = batch.iter().map(|pending| pending.operation.clone()).collect();
        let share = OrgBatch { org: self.org.clone(), operations, refusals };
        let alone =
            self.left_out >= TRIES || self.apart_until > now || batch.iter().any(|pending| pending.alone);
        let commits = self.registry.commits.clone();
        async move {
            if alone { commits.alone(share, patience).await } else { commits.together(share, patience).await }
        }
    }

    fn put_back(&mut self, batch: Vec<Pending>, refusals: Vec<RefusedUpload>, unsure: bool) {
        self.refusals.put_back(refusals);
        for pending in batch.into_iter().rev() {
            self.queue.push_front(if unsure { pending.unsure() } else { pending });
        }
    }

    fn settle(&mut self, batch: Vec<Pending>, refusals: Vec<RefusedUpload>, ended: Ended) {
        let now = Instant::now();
        let (error, unsure) = match ended {
            Ended::Done(outcomes) => {
                self.left_out = 0;
                self.answer(batch, outcomes, now);
                return;
            }
            Ended::LeftOut { unsure } => {
                self.left_out += 1;
                self.put_back(batch, refusals, unsure);
                return;
            }
            Ended::Apart { unsure } => {
                self.apart_until = now + APART;
                self.put_back(batch, refusals, unsure);
                return;
            }
            Ended::Failed { error, unsure } => (error, unsure),
        };
        self.refusals.put_back(refusals);
        let retry_alone = !error.is_passing() && batch.len() > 1;
        for mut pending in batch.into_iter().rev() {
            if retry_alone || (error.is_passing() && pending.deadline > now) {
                if unsure {
                    pending = pending.unsure();
                }
                pending.alone = retry_alone;
                pending.tried = true;
                self.queue.push_front(pending);
            } else {
                let _ = pending.reply.send(Err(error.clone()));
            }
        }
    }

    fn answer(&mut self, batch: Vec<Pending>, outcomes: Vec<OperationOutcome>, now: Instant) {
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            self.quota_refusals.learn(&pending.operation, &outcome, now);
            if matches!(outcome, OperationOutcome::QuotaExceeded { contended: true, .. }) {
                self.registry.record_contention(&self.org);
            }
            // Whoever asked may be gone; the books are right either way.
            let _ = pending.reply.send(Ok(outcome));
        }
        self.answer_foreseen(now);
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.pump(ctx);
        let idle = !self.in_flight && self.queue.is_empty() && self.last_work.elapsed() > IDLE;
        if idle {
            self.registry.forget(&self.org, &ctx.address());
            ctx.stop();
        }
    }
}

impl Actor for OrgActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<Submit> for OrgActor {
    type Result = ResponseFuture<Result<OperationOutcome, DbError>>;

    fn handle(&mut self, message: Submit, ctx: &mut Self::Context) -> Self::Result {
        let (reply, outcome) = oneshot::channel();
        let now = Instant::now();
        if let Some(outcome) = self.quota_refusals.foresees(&message.operation, now) {
            return Box::pin(ready(Ok(outcome)));
        }
        self.queue.push_back(Pending {
            operation: message.operation,
            reply,
            deadline: now + message.patience,
            expires: now + message.patience.max(LEAST),
            alone: false,
            tried: false,
        });
        self.pump(ctx);
        // A database that hangs in the middle of a transaction must not hang whoever asked; the
        // outcome is then unknown to them.
        Box::pin(async move {
            match timeout(message.patience + GRACE, outcome).await {
                Ok(answered) => answered.unwrap_or(Err(DbError::Busy)),
                Err(_) => Err(DbError::Unavailable("no answer in time".to_owned())),
            }
        })
    }
}

impl Handler<RecordRefusal> for OrgActor {
    type Result = ();

    fn handle(&mut self, message: RecordRefusal, _: &mut Self::Context) {
        self.refusals.note(message.0, Instant::now());
    }
}
