//! The transactions that change the accounting: the organization totals and the states of backups. Nothing else changes them.
//!
//! A transaction runs a batch of operations of one organization ([`run`]), or the batches of several ([`run_shared`]):
//! 1. It takes its locks: first the organizations' rows in `org_usage`, by id. Then the systems, by id; this statement also
//!    reads the quota, and the clock once a system is locked. Then it reads the systems' backups: of a system with many only the
//!    oldest and the newest ([`read_backups`]). Each of these is a statement of its own, so that what follows reads what was
//!    committed before it (READ COMMITTED). A transaction of one organization waits for locks. A shared transaction skips an
//!    organization whose rows are locked.
//! 2. For each operation it builds the [`SystemUsage`](crate::domain::accounting::SystemUsage) that the earlier operations
//!    have left, and lets `domain::accounting` decide. If an operation needs a row that was not read, or one that this
//!    transaction has made, the transaction first writes what was decided so far.
//! 3. It writes everything that differs from what was read, then the events, and commits. The row of a system whose backups have
//!    changed also has the facts that follow from them (`written_system.rs`): they cost no statement of their own.
//!
//! The rows are read once. That is safe because their systems are locked: a row that is not retired is added, changed or retired only
//! under the locks of its organization and its system. (If a person marks a backup as damaged, a trigger waits for the lock of the
//! system, and then writes the facts again.)
//!
//! That lock also makes everything that any number of processes do to one organization a sequence of such transactions. The
//! proof in `domain::accounting` is about sequences.
//!
//! | two things at the same time | why that is safe |
//! |---|---|
//! | two transactions of one organization | The second waits for the lock, and then reads what the first has written. |
//! | two transactions of different organizations | They share no row. |
//! | a shared transaction, and another transaction that has locked rows of one of its organizations | The shared transaction does not wait. It skips that organization, which is tried again, and in the end runs alone and waits for the lock. (If only a backup is locked, by a person's session, the shared transaction fails after a tenth of a second, and each of its organizations runs alone.) |
//! | two shared transactions | Neither waits for a row while it holds locks, so they can't deadlock. An organization that both need runs in one of them only. |
//! | a commit, and a deletion of a backup that is pledged to it | One of the two is first. Deleting the backup ends its pledge, and the upload reserves those bytes instead. |
//! | a transaction and a new quota | The quota is set under the organization's lock, and is read after that lock was taken. |
//! | a transaction and a purge | A purge changes retired rows only. They count in no total. |
//! | two purges | A claim skips locked rows, and is committed before the object is deleted. Deleting an object twice does no harm. |
//! | a commit, and a suspension or a new secret | Both lock the system's row. The commit sees the state before or after. |
//! | a commit and the destruction of its system | The destruction first marks the system under its lock. A backup that was committed before is retired with the others; a commit after it rolls its upload back. |
//! | a commit and a new backup request | Both lock the system's row. An upload fulfils the requests that were made before it was admitted (`db::backup_requests`). |
//! | a commit, and a backup request that is delivered or cancelled | Both lock the system's row, so a request ends only once. |
//! | a commit and a sweep | Both need the row to be `receiving` under the lock. The second finds that it is not. |
//! | a process that resumes after a pause, and everything that others did meanwhile | Its commit finds that the row is no longer `receiving`. Its object is deleted with the tombstone. |
//! | an audit and anything else | An audit is one statement, and sees one moment. |
//! | an operation and its repetition after a COMMIT of unknown outcome | The lock waits until the lost transaction has ended. Then the row shows whether the operation was done. |
//! | an upload that is stored in one step, and an attempt of it that was lost before its first lock | The repetition finds no row, and writes one as of a failed upload: the lost attempt can't insert its row any more. |

mod admission;
mod apply;
mod change;
mod commit;
mod facts;
mod locked_backup;
mod locked_systems;
mod new_upload;
mod operation;
mod org_totals;
mod parameters;
mod read_backups;
mod removal;
mod store;
mod transaction;
mod written_system;

pub use operation::{
    Abort, AccountingPolicy, Admission, Commit, Committed, Delete, DeletedBy, Growth, Operation,
    OperationOutcome, OrgBatch, RefusedUpload, Store, UploadFailure,
};
pub use transaction::{run, run_shared};
