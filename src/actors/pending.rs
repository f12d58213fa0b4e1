//! The operations of an organization that wait for their transaction.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::oneshot;

use super::group_commit::mark_attempted;
use crate::db::DbError;
use crate::db::accounting::{Operation, OperationOutcome};

/// Operations that share a transaction.
const MAX_BATCH: usize = 64;

/// An operation that waits for its turn.
pub(super) struct Pending {
    pub operation: Operation,
    pub reply: oneshot::Sender<Result<OperationOutcome, DbError>>,
    /// Until then a failed attempt is repeated.
    pub deadline: Instant,
    /// From then on no attempt is started.
    pub expires: Instant,
    /// It was in a batch that failed on its data. It runs alone, so that an operation that can't succeed fails only itself.
    pub alone: bool,
    /// It was in a batch that failed: only another attempt tells what has become of it.
    pub tried: bool,
}

impl Pending {
    /// An attempt may have been committed.
    pub fn maybe_committed(mut self) -> Self {
        mark_attempted(&mut self.operation);
        self.tried = true;
        self
    }

    /// Answers. The caller may be gone; the accounting is right either way.
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

    /// Puts operations back in front, in their order.
    pub fn put_back(&mut self, batch: impl DoubleEndedIterator<Item = Pending>) {
        batch.rev().for_each(|pending| self.0.push_front(pending));
    }

    /// Removes and returns the operations of the next transaction: those that free space before those that need it.
    pub fn next_batch(&mut self) -> Vec<Pending> {
        self.0.make_contiguous().sort_by_key(|pending| pending.operation.needs_space());
        if self.0.front().is_some_and(|first| first.alone) {
            return self.0.pop_front().into_iter().collect();
        }
        let together = self.0.iter().take_while(|pending| !pending.alone).count();
        self.0.drain(..together.min(MAX_BATCH)).collect()
    }

    /// Drops operations that nobody waits for any more. Their callers were told that they were not done.
    pub fn drop_expired(&mut self, now: Instant) {
        self.0.retain(|pending| pending.expires > now);
    }

    /// Answers the operations whose outcome is known without a query. One that was tried before is not among them: its
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
