//! What has to be done without a request: `run_once` functions, and the loops around them.

mod lease;
mod prepare;
pub mod purge;
pub mod sweep;

pub use lease::Lease;
pub use prepare::{Preparation, prepare};
