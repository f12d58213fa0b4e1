//! The transactions that change the accounting. Nothing else in the program does.
//!
//! A transaction runs a batch of operations of one organization ([`run`]), or those of several ([`run_shared`]):
//! 1. It locks the organizations' rows in `org_usage` by id, then the systems by id (with the quota, and the clock read when
//!    they are locked), then their backups by id. Each lock is a statement of its own, so that what follows reads what was
//!    committed before it (READ COMMITTED). A transaction of one organization waits for locks. A shared one waits for none,
//!    and skips an organization for which it would have to.
//! 2. For each operation it builds the [`SystemUsage`](crate::domain::accounting::SystemUsage) as the operations before have
//!    left it, and lets `domain::accounting` decide. Before an operation on a row that is not among those read, or that this
//!    transaction has made, it writes what was decided so far.
//! 3. It writes all that differs from what was read, and the events, and commits.
//!
//! To read the rows once is safe because they are locked: no other transaction changes them, and the organization's rows are
//! neither added nor removed without the lock of its row in `org_usage`.
//!
//! With the organization's row locked, all that any number of processes do to one organization is a sequence of such steps,
//! and the proof in `domain::accounting` is about sequences.
//!
//! | may run at the same time | why it is safe |
//! |---|---|
//! | two transactions of one organization | the second waits for the lock and reads what the first wrote |
//! | two transactions of different organizations | they share no row |
//! | a shared transaction, and another that has locked a row of one of its organizations | it does not wait: it skips that organization, which in the end waits alone |
//! | two shared transactions | neither waits for a row while it holds others: no deadlock. What they have in common is in one of them only |
//! | a commit, and a deletion of what is pledged to it | one of the two is first; the pledge goes with the row, and the upload reserves what it loses |
//! | a transaction and a new quota | the quota is set under the organization's lock, and read after the lock was taken |
//! | a transaction and the purger | the purger changes retired rows only, which count nowhere |
//! | two purgers | a claim skips locked rows and is committed before the object is deleted; to delete it twice does no harm |
//! | a transaction and suspend, rotate | both lock the system's row: the commit sees one state or the other |
//! | a commit and destroy | the system is marked under its lock first: a commit before that is retired with the rest, one after it rolls its upload back |
//! | a commit and a new backup request | both lock the system's row: an upload fulfils what was requested before it was admitted (`db::backup_requests`) |
//! | a commit, and a backup request that is seen or cancelled | the same lock: a request has one end |
//! | a commit and the sweep | both need the row `receiving` under the lock; the second finds that it is not |
//! | a process that was paused, and all that happened meanwhile | its commit finds the row no longer `receiving`; its object is deleted with the tombstone |
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
