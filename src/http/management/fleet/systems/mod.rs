//! `/api/systems`: lists, shows, adds and changes systems.

pub mod add;
pub mod change;
mod csv;
pub mod erasure;
mod error_examples;
pub mod export;
pub mod list;
mod members;
mod query;
pub mod rotate_secret;
pub mod schemas;
pub mod show;
pub mod system;
pub mod totals;
