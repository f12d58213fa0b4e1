//! The operations of an organization that wait for their transaction.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::oneshot;

use super::group_commit::mark_attempted;
use crate::db::DbError;
use crate::db::accounting::{Operation, OperationOutcome};

/// The most operations of one batch.
const MAX_BATCH: usize = 64;

/// An operation that waits for its transaction.
pub(super) struct Pending {
    pub operation: Operation,
    pub reply: oneshot::Sender<Result<OperationOutcome, DbError>>,
    /// The time until which a failed attempt is repeated.
    pub deadline: Instant,
    /// The time from which no attempt is started.
    pub expires: Instant,
    /// Whether the operation runs alone: it was in a batch that failed because of one of its operations. So an operation that
    /// can't succeed fails alone.
    pub alone: bool,
    /// Whether the operation was in a batch that failed. Only another attempt shows whether it was done.
    pub tried: bool,
}

impl Pending {
    /// Marks the operation: an attempt may have been committed.
    pub fn maybe_committed(mut self) -> Self {
        mark_attempted(&mut self.operation);
        self.tried = true;
        self
    }

    /// Sends the outcome to the caller. The caller may be gone; the accounting is right either way.
    pub fn answer(self, outcome: Result<OperationOutcome, DbError>) {
        let _ = self.reply.send(outcome);
    }
}

#[derive(Default)]
pub(super) struct PendingQueue(VecDeque<Pending>);

impl PendingQueue {
    pub fn push(&mut self, pending: Pending) {
        self.0.push_back(pending);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts operations back at the front of the queue, in their order.
    pub fn put_back(&mut self, batch: impl DoubleEndedIterator<Item = Pending>) {
        batch.rev().for_each(|pending| self.0.push_front(pending));
    }

    /// Removes and returns the operations of the next transaction. Operations that may free space come before those that need
    /// space.
    pub fn next_batch(&mut self) -> Vec<Pending> {
        self.0.make_contiguous().sort_by_key(|pending| pending.operation.needs_space());
        if self.0.front().is_some_and(|first| first.alone) {
            return self.0.pop_front().into_iter().collect();
        }
        let together = self.0.iter().take_while(|pending| !pending.alone).count();
        self.0.drain(..together.min(MAX_BATCH)).collect()
    }

    /// Drops operations for which nobody waits any more: their callers have received an error.
    pub fn drop_expired(&mut self, now: Instant) {
        self.0.retain(|pending| pending.expires > now);
    }

    /// Answers the operations whose outcome is known without a query. An operation that was tried before is not answered: its
    /// attempt may have been committed.
    pub fn answer_known(&mut self, known: impl Fn(&Operation) -> Option<OperationOutcome>) {
        for pending in std::mem::take(&mut self.0) {
            match known(&pending.operation).filter(|_| !pending.tried) {
                Some(outcome) => pending.answer(Ok(outcome)),
                None => self.0.push_back(pending),
            }
        }
    }
}
