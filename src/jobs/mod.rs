//! What has to be done without a request: `run_once` functions, and the loops around them; and what
//! compares the rows with the objects.

pub mod compare;
mod lease;
mod listen;
pub mod orphans;
mod prepare;
pub mod purge;
pub mod sweep;

use crate::db::DbError;
use crate::store::StoreError;

pub use lease::Lease;
pub use listen::Listener;
pub use prepare::{Preparation, prepare};

/// Why a job did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
