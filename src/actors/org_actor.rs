//! One actor for each organization in use: it orders what this process does to the organization's accounting.
//!
//! It keeps one transaction in flight. What arrives meanwhile goes together into the next one (group commit): a busy
//! organization costs one row lock and one fsync a batch. Organizations share transactions, too: `group_commit`.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::directory::Directory;
use super::group_commit::{BatchOutcome, GroupCommit};
use super::pending::{Pending, PendingQueue};
use super::quota_contention::QuotaContention;
use super::quota_refusal_cache::QuotaRefusalCache;
use super::refused_uploads::RefusedUploads;
use crate::db::DbError;
use crate::db::accounting::{Operation, OperationOutcome, OrgBatch, RefusedUpload};
use crate::domain::ids::OrgId;

/// After this long without work the actor stops; the next operation starts another one.
const IDLE: Duration = Duration::from_mins(5);
/// How long one transaction is tried before what has arrived meanwhile joins it: an operation with a long deadline must not
/// delay one with a short deadline.
const ATTEMPT: Duration = Duration::from_secs(1);
/// How long an operation may take beyond its deadline, when its last attempt is under way. A wait for a lock has ended by
/// then (the connections' `lock_timeout`), and the outcome is known.
const GRACE: Duration = Duration::from_millis(3500);
/// An operation with a shorter deadline still gets one attempt within this time.
const SHORTEST: Duration = Duration::from_millis(500);
/// How many times an organization is skipped in shared transactions because of locked rows before it waits for them alone.
/// Another process that works for the organization holds them for some milliseconds.
const SHARED_ATTEMPTS: u32 = 4;
/// Between two such attempts.
const PAUSE: Duration = Duration::from_millis(3);
/// How long an organization runs alone after a shared transaction that it may have made fail.
const ALONE_FOR: Duration = Duration::from_secs(1);
/// Refused uploads that no transaction takes along are written by one of their own after this time.
const TICK: Duration = Duration::from_secs(1);

/// Asks for one operation.
#[derive(Message)]
#[rtype(result = "Result<OperationOutcome, DbError>")]
pub(super) struct Submit {
    pub operation: Operation,
    pub retry_for: Duration,
}

/// An upload was refused.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RecordRefusal(pub RefusedUpload);

/// What the actors of all organizations share.
pub(super) struct Shared {
    pub directory: Directory<OrgActor>,
    pub contention: QuotaContention,
    pub commits: GroupCommit,
}

pub(super) struct OrgActor {
    org: OrgId,
    shared: Arc<Shared>,
    queue: PendingQueue,
    refusals: RefusedUploads,
    quota_refusals: QuotaRefusalCache,
    /// A transaction is under way, or waits for its next attempt.
    in_flight: bool,
    /// How many times in a row shared transactions have skipped the organization.
    skipped: u32,
    /// Until then it runs alone.
    alone_until: Instant,
    last_work: Instant,
}

impl OrgActor {
    pub fn new(org: OrgId, shared: Arc<Shared>) -> Self {
        Self {
            org,
            shared,
            queue: PendingQueue::default(),
            refusals: RefusedUploads::default(),
            quota_refusals: QuotaRefusalCache::default(),
            in_flight: false,
            skipped: 0,
            alone_until: Instant::now(),
            last_work: Instant::now(),
        }
    }

    /// Starts the next transaction, if none is in flight and there is something to do.
    fn start_next(&mut self, ctx: &mut Context<Self>) {
        if self.in_flight {
            return;
        }
        self.queue.drop_expired(Instant::now());
        if self.queue.is_empty() && self.refusals.is_empty() {
            return;
        }
        self.in_flight = true;
        self.last_work = Instant::now();
        let batch = self.queue.next_batch();
        let refusals = self.refusals.take();
        let transaction = self.transaction(&batch, refusals.clone());
        let done = transaction.into_actor(self).map(move |outcome, actor, ctx| {
            // A batch of nothing but refused uploads that could not be written waits for the next tick.
            let wait = batch.is_empty() && matches!(outcome, BatchOutcome::Failed { .. });
            actor.finish(batch, refusals, outcome);
            let go_on = move |actor: &mut Self, ctx: &mut Context<Self>| {
                actor.in_flight = false;
                if !wait {
                    actor.start_next(ctx);
                }
            };
            // Alone it waits for the locked rows. In a shared transaction it would find them locked again at once.
            if (1..SHARED_ATTEMPTS).contains(&actor.skipped) {
                ctx.run_later(PAUSE, go_on);
            } else {
                go_on(actor, ctx);
            }
        });
        ctx.spawn(done);
    }

    /// A transaction shared with other organizations, unless the batch has to run alone.
    fn transaction(
        &self,
        batch: &[Pending],
        refusals: Vec<RefusedUpload>,
    ) -> impl Future<Output = BatchOutcome> + use<> {
        let now = Instant::now();
        let nearest = batch.iter().map(|pending| pending.deadline.saturating_duration_since(now)).min();
        let retry_for = nearest.map_or(ATTEMPT, |nearest| nearest.min(ATTEMPT));
        let operations = batch.iter().map(|pending| pending.operation.clone()).collect();
        let org_batch = OrgBatch { org: self.org.clone(), operations, refusals };
        let alone = self.skipped >= SHARED_ATTEMPTS
            || self.alone_until > now
            || batch.iter().any(|pending| pending.alone);
        let commits = self.shared.commits.clone();
        async move {
            if alone {
                commits.run_alone(org_batch, retry_for).await
            } else {
                commits.run_shared(org_batch, retry_for).await
            }
        }
    }

    /// Answers the operations of a transaction that has ended, or puts them back for another one.
    fn finish(&mut self, batch: Vec<Pending>, refusals: Vec<RefusedUpload>, outcome: BatchOutcome) {
        let now = Instant::now();
        let (error, maybe_committed) = match outcome {
            BatchOutcome::Done(outcomes) => {
                self.skipped = 0;
                self.answer(batch, outcomes, now);
                return;
            }
            BatchOutcome::Skipped { maybe_committed } => {
                self.skipped += 1;
                self.put_back(batch, refusals, maybe_committed);
                return;
            }
            BatchOutcome::MustRunAlone { maybe_committed } => {
                self.alone_until = now + ALONE_FOR;
                self.put_back(batch, refusals, maybe_committed);
                return;
            }
            BatchOutcome::Failed { error, maybe_committed } => (error, maybe_committed),
        };
        self.refusals.put_back(refusals);
        let retry_alone = !error.is_transient() && batch.len() > 1;
        let is_retried = |pending: &Pending| retry_alone || (error.is_transient() && pending.deadline > now);
        let (retried, failed): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_retried);
        let again = |pending: Pending| {
            let pending = if maybe_committed { pending.maybe_committed() } else { pending };
            Pending { alone: retry_alone, tried: true, ..pending }
        };
        self.queue.put_back(retried.into_iter().map(again));
        failed.into_iter().for_each(|pending| pending.answer(Err(error.clone())));
    }

    fn put_back(&mut self, batch: Vec<Pending>, refusals: Vec<RefusedUpload>, maybe_committed: bool) {
        self.refusals.put_back(refusals);
        let again = |pending: Pending| if maybe_committed { pending.maybe_committed() } else { pending };
        self.queue.put_back(batch.into_iter().map(again));
    }

    fn answer(&mut self, batch: Vec<Pending>, outcomes: Vec<OperationOutcome>, now: Instant) {
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            self.quota_refusals.observe(&pending.operation, &outcome, now);
            if matches!(outcome, OperationOutcome::QuotaExceeded { contended: true, .. }) {
                self.shared.contention.record(&self.org, Instant::now());
            }
            pending.answer(Ok(outcome));
        }
        // What has queued up behind a refusal that holds for it, too.
        self.queue.answer_known(|operation| self.quota_refusals.get(operation, now));
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.start_next(ctx);
        let idle = !self.in_flight && self.queue.is_empty() && self.last_work.elapsed() > IDLE;
        if idle {
            self.shared.directory.remove(&self.org, &ctx.address());
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
        if let Some(outcome) = self.quota_refusals.get(&message.operation, now) {
            return Box::pin(ready(Ok(outcome)));
        }
        self.queue.push(Pending {
            operation: message.operation,
            reply,
            deadline: now + message.retry_for,
            expires: now + message.retry_for.max(SHORTEST),
            alone: false,
            tried: false,
        });
        self.start_next(ctx);
        // A database that hangs in the middle of a transaction must not make the caller hang. The outcome is then unknown
        // to the caller.
        Box::pin(async move {
            match timeout(message.retry_for + GRACE, outcome).await {
                Ok(answered) => answered.unwrap_or(Err(DbError::Busy)),
                Err(_) => Err(DbError::Unavailable("no answer in time".to_owned())),
            }
        })
    }
}

impl Handler<RecordRefusal> for OrgActor {
    type Result = ();

    fn handle(&mut self, message: RecordRefusal, _: &mut Self::Context) {
        self.refusals.record(message.0, Instant::now());
    }
}
