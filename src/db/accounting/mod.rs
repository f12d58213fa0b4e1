//! The transactions that change the books. Nothing else in the program does.
//!
//! A batch of operations is one transaction, of one organization ([`run`]) or of several ([`run_shared`]):
//! 1. lock the organizations' rows in `org_usage` by id, then the systems by id (with the quota, and the
//!    clock read when they are locked), then their backups by id; each lock is a statement of its
//!    own, so that what follows reads what was committed before it (READ COMMITTED). Alone, an
//!    organization waits for locks; several wait for none, and whoever would have to is left out;
//! 2. for each operation: build the [`SystemUsage`](crate::domain::accounting::SystemUsage) as the operations
//!    before it have left it, and let `domain::accounting` decide. Only an operation on a row that is
//!    not among those read, or that this batch has made, first has written what was decided so far;
//! 3. write all that differs from what was read, and the events, commit.
//!
//! That the rows are read once is safe because they are locked: nobody else changes them, and of the
//! organization's rows none is added or taken away without the lock of its row in `org_usage`.
//!
//! With the organization's row locked, all that any number of processes do to one organization
//! is a sequence of such steps, and the proof in `domain::accounting` speaks of sequences.
//!
//! | may run at the same time | why it is safe |
//! |---|---|
//! | two batches of one organization | the second waits for the lock and reads what the first wrote |
//! | two batches of different organizations | they share no row |
//! | a batch of several organizations and whoever has locked a row of one | it does not wait: that organization is left out, and in the end waits alone |
//! | two batches of several organizations | neither waits for a row while it holds others: no deadlock, and what they have in common is in one of them only |
//! | a commit and a deletion of what is pledged to it | one of the two is first; the pledge goes with the row, and the upload reserves what it loses |
//! | a batch and a new quota | the quota is set under the organization's lock, and read after it was taken |
//! | a batch and the purger | the purger touches retired rows only, and they are out of the books |
//! | two purgers | a claim skips rows that are locked and is committed before the object is touched; deleting what is gone succeeds |
//! | a batch and suspend, rotate | the system's row is locked by both: the commit sees one or the other |
//! | a commit and destroy | the system is marked under its lock first: a commit before that is retired with the rest, one after it takes its upload back |
//! | a commit, and somebody who asks for a backup | the system's row is locked by both: an upload fulfils what was asked before it was let in (`db::backup_requests`) |
//! | a commit, and a request that is seen or cancelled | the same lock: a request has one end |
//! | a commit and the reaper | both need the row `receiving` under the lock; the second finds it is not |
//! | a process that was stopped, and all that happened meanwhile | its commit finds the row not `receiving` any more, its object is deleted with the tombstone |
//! | an audit and anything | it is one statement, and sees one moment |
//! | the same operation twice, after a COMMIT of unknown outcome | the lock waits for the lost transaction to end, then the row says whether it was done |

mod admission;
mod apply;
mod change;
mod commit;
mod locked_systems;
mod operation;
mod org_totals;
mod parameters;
mod removal;
mod transaction;

pub use operation::{
    Abort, AccountingPolicy, Admission, Commit, Committed, Delete, DeletedBy, Growth, Operation,
    OperationOutcome, OrgBatch, RefusedUpload,
};
pub use transaction::{run, run_shared};
