//! Signed download addresses.

mod bucket;
mod revoked;
pub mod signed;
