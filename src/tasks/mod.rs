//! Work that no request waits for: `run_once` functions, which the [`supervisor`] repeats, and the commands of an operator,
//! such as the comparison of rows with objects.
//!
//! | task | does | when |
//! |---|---|---|
//! | `prepare` | brings the schema up to date, prepares the store | every second until it succeeds |
//! | `lease` | renews the lease of this process | three times in each lease |
//! | `listen` | wakes the systems that wait for a backup request | ten times a second |
//! | `purge` | deletes the objects and rows of retired backups | when woken, and every 5 s |
//! | `erase` | erases the systems that are being destroyed | when woken, and every 3 s |
//! | `sweep` | rolls back the uploads of dead processes | every `BACKUP_SWEEP_INTERVAL` |
//! | `revoke` | ends downloads that are no longer permitted | every second |
//! | `history` | makes the partitions of coming months, and drops what is older than `EVENTS_KEEP` | every 10 minutes |
//! | `usage` | adds up the days that are over | every minute |
//! | `memory` | returns free memory to the kernel | every 15 s |
//!
//! The log, the metrics and health use these names. `startup/background.rs` adds `refused_credentials`, `seen_systems`,
//! `unavailable_uploads`, `key_set` and `rejected_tokens` of `auth`. Work on demand has a name as well: `abort`, `group_commit`, `credential_lookup`.

mod ahead;
pub mod compare;
mod delete_object;
pub mod erase;
mod history;
mod lease;
mod leftovers;
mod listen;
mod marked;
mod memory;
pub mod orphans;
pub mod periods;
pub mod prepare;
mod process_id;
pub mod purge;
pub mod revoke;
pub mod supervisor;
pub mod sweep;
mod usage;

use crate::db::DbError;
use crate::store::StoreError;
use crate::telemetry::TaskFailure;

pub use history::History;
pub use lease::Lease;
pub use listen::BackupRequestListener;
pub use memory::{MemoryReturn, limit_heaps};
pub use prepare::Preparation;
pub use process_id::new_process_id;
pub use supervisor::{Period, Supervisor, TaskDefinition};
pub use usage::UsageDays;

/// Why a task could not finish.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TaskError> for TaskFailure {
    fn from(error: TaskError) -> Self {
        let is_outage = match &error {
            TaskError::Db(error) => error.is_transient(),
            TaskError::Store(error) => matches!(error, StoreError::Unavailable { .. }),
        };
        Self { is_outage, ..Self::new(error.to_string()) }
    }
}

/// The failure of a run that only uses the database.
fn db_failure(error: DbError) -> TaskFailure {
    TaskError::from(error).into()
}
