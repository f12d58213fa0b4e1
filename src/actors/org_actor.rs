//! One actor for each organization in use: it orders the operations of this process on the organization's accounting.
//!
//! An actor has one transaction in flight. Operations that arrive meanwhile run together in the next one: a busy organization
//! costs one row lock and one fsync for each batch. Organizations share transactions, too (`group_commit`).

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};
use chrono::{DateTime, Utc};
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

/// How long an actor without work runs before it stops. The next operation starts another actor.
const IDLE_STOP: Duration = Duration::from_mins(5);
/// How long one batch is tried before it is put back, and runs together with the operations that have arrived meanwhile: an
/// operation with a long deadline must not delay one with a short deadline.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a caller waits beyond the deadline of its operation for the last attempt. By then a wait for a lock has ended (the
/// connections' `lock_timeout`), and the outcome is known.
const ANSWER_GRACE: Duration = Duration::from_millis(3500);
/// An operation with a shorter deadline still gets one attempt within this time.
const MIN_ATTEMPT_TIME: Duration = Duration::from_millis(500);
/// How many times shared transactions may skip an organization before it runs alone and waits for the locked rows. Another
/// process that works for the organization holds them for some milliseconds.
const SHARED_ATTEMPTS: u32 = 4;
/// The pause after a shared transaction has skipped the organization.
const SKIPPED_RETRY_PAUSE: Duration = Duration::from_millis(3);
/// How long an organization runs alone after a shared transaction failed that it may have caused to fail.
const ALONE_FOR: Duration = Duration::from_secs(1);
/// How often refused uploads are written that no batch has taken along, and the actor checks whether it is idle.
const REFUSAL_FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// The message that runs one operation.
#[derive(Message)]
#[rtype(result = "Result<OperationOutcome, DbError>")]
pub(super) struct Submit {
    pub operation: Operation,
    pub retry_for: Duration,
}

/// The message that records a refused upload.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RecordRefusal(pub RefusedUpload);

/// The message that writes every refusal that is not written yet. The result is whether there is none.
#[derive(Message)]
#[rtype(result = "bool")]
pub(super) struct FlushRefusals;

/// The resources that the actors of all organizations share.
pub(super) struct ActorResources {
    pub directory: Directory<OrgActor>,
    pub contention: QuotaContention,
    pub commits: GroupCommit,
}

pub(super) struct OrgActor {
    org: OrgId,
    shared: Arc<ActorResources>,
    queue: PendingQueue,
    refusals: RefusedUploads,
    /// The last admission, by the database's clock, and when this process knew of it.
    last_admission: Option<(DateTime<Utc>, Instant)>,
    quota_refusals: QuotaRefusalCache,
    /// Whether a transaction is under way, or waits for its next attempt.
    in_flight: bool,
    /// How many times in a row shared transactions have skipped the organization.
    skipped: u32,
    /// The time until which the organization runs alone.
    alone_until: Instant,
    last_work: Instant,
    /// Whether the directory has forgotten the actor: the next tick stops it, if nothing has arrived meanwhile.
    retired: bool,
}

impl OrgActor {
    pub fn new(org: OrgId, shared: Arc<ActorResources>) -> Self {
        Self {
            org,
            shared,
            queue: PendingQueue::default(),
            refusals: RefusedUploads::default(),
            last_admission: None,
            quota_refusals: QuotaRefusalCache::default(),
            in_flight: false,
            skipped: 0,
            alone_until: Instant::now(),
            last_work: Instant::now(),
            retired: false,
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
            // If a batch with refused uploads only could not be written, it is tried again at the next tick.
            let wait = batch.is_empty() && matches!(outcome, BatchOutcome::Failed { .. });
            actor.finish(batch, refusals, outcome);
            let go_on = move |actor: &mut Self, ctx: &mut Context<Self>| {
                actor.in_flight = false;
                if !wait {
                    actor.start_next(ctx);
                }
            };
            // A batch that runs alone waits for the locked rows. A shared transaction would find them locked again.
            if (1..SHARED_ATTEMPTS).contains(&actor.skipped) {
                ctx.run_later(SKIPPED_RETRY_PAUSE, go_on);
            } else {
                go_on(actor, ctx);
            }
        });
        ctx.spawn(done);
    }

    /// Runs the batch: shared with other organizations, unless it has to run alone.
    fn transaction(
        &self,
        batch: &[Pending],
        refusals: Vec<RefusedUpload>,
    ) -> impl Future<Output = BatchOutcome> + use<> {
        let now = Instant::now();
        let nearest = batch.iter().map(|pending| pending.deadline.saturating_duration_since(now)).min();
        let retry_for = nearest.map_or(ATTEMPT_TIMEOUT, |nearest| nearest.min(ATTEMPT_TIMEOUT));
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
        for pending in failed {
            pending.answer(Err(error.clone()));
        }
    }

    /// Puts the operations and refusals of a transaction back for the next one.
    fn put_back(&mut self, batch: Vec<Pending>, refusals: Vec<RefusedUpload>, maybe_committed: bool) {
        self.refusals.put_back(refusals);
        let again = |pending: Pending| if maybe_committed { pending.maybe_committed() } else { pending };
        self.queue.put_back(batch.into_iter().map(again));
    }

    /// Sends the outcomes to the callers, and updates the caches.
    fn answer(&mut self, batch: Vec<Pending>, outcomes: Vec<OperationOutcome>, now: Instant) {
        for (pending, outcome) in batch.into_iter().zip(outcomes) {
            self.quota_refusals.observe(&pending.operation, &outcome, now);
            if let OperationOutcome::Committed(_) = outcome {
                self.refusals.backup_stored(pending.operation.system_id());
            }
            self.last_admission = self.last_admission.max(outcome.admitted_at().zip(Some(now)));
            if matches!(outcome, OperationOutcome::QuotaExceeded { blocked_by_reservations: true, .. }) {
                self.shared.contention.record(&self.org, Instant::now());
            }
            pending.answer(Ok(outcome));
        }
        // Answers queued operations that the same refusal applies to.
        self.queue.answer_known(|operation| self.quota_refusals.get(operation, now));
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.refusals.tick(Instant::now());
        self.start_next(ctx);
        let idle = !self.in_flight && self.queue.is_empty() && self.last_work.elapsed() > IDLE_STOP;
        if idle && self.retired && self.refusals.has_none() {
            ctx.stop();
        } else if idle {
            // Whoever has its address still sends to it, for a moment: a refusal that arrives when it stops would be lost.
            self.shared.directory.remove(&self.org, &ctx.address());
            self.retired = true;
        }
    }
}

impl Actor for OrgActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
        ctx.run_interval(REFUSAL_FLUSH_INTERVAL, Self::tick);
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
            expires: now + message.retry_for.max(MIN_ATTEMPT_TIME),
            alone: false,
            tried: false,
        });
        self.start_next(ctx);
        // The caller must not hang if the database hangs in the middle of a transaction. After this timeout the caller does
        // not know the outcome.
        Box::pin(async move {
            match timeout(message.retry_for + ANSWER_GRACE, outcome).await {
                Ok(answered) => answered.unwrap_or(Err(DbError::Busy)),
                Err(_) => Err(DbError::Unavailable("no answer in time".to_owned())),
            }
        })
    }
}

impl Handler<FlushRefusals> for OrgActor {
    type Result = bool;

    fn handle(&mut self, _: FlushRefusals, ctx: &mut Self::Context) -> Self::Result {
        self.refusals.end_all();
        self.start_next(ctx);
        self.refusals.is_empty() && !self.in_flight
    }
}

impl Handler<RecordRefusal> for OrgActor {
    type Result = ();

    fn handle(&mut self, message: RecordRefusal, _: &mut Self::Context) {
        let sent = message.0.instead_of_admission;
        let before = self.last_admission.filter(|(_, known)| sent.is_some_and(|sent| sent > *known));
        let refusal = RefusedUpload { not_before: before.map(|(at, _)| at), ..message.0 };
        self.refusals.record(refusal, Instant::now());
    }
}
