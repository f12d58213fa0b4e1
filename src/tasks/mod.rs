//! What is done without anybody's request: `run_once` functions and the loops around them; and the comparison of rows
//! with objects, which an operator starts.

pub mod compare;
mod lease;
mod leftovers;
mod listen;
mod memory;
pub mod orphans;
mod prepare;
pub mod purge;
mod repeating;
pub mod revoke;
pub mod sweep;

use crate::db::DbError;
use crate::store::StoreError;

pub use lease::Lease;
pub use listen::RequestListener;
pub use memory::MemoryReturn;
pub use prepare::{Preparation, prepare};

/// Why a job could not finish.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
