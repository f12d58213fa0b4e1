//! The only module that uses diesel: the connections, the pool through which async code runs blocking queries, and one file
//! of named query functions per table.
//!
//! Only the transactions in [`accounting`] change the accounting.

pub mod access_state;
pub mod accounting;
pub mod audit;
pub mod backup_lists;
pub mod backup_requests;
pub mod backups;
mod can_commit;
mod commit_probe;
mod connection;
mod connection_string;
mod connector;
pub mod credential_refusals;
pub mod credentials;
pub mod erasures;
mod error;
pub mod event_list;
pub mod events;
pub mod history;
mod lane;
mod libpq;
mod limited;
pub mod migrations;
pub mod notifications;
pub mod objects;
pub mod organizations;
pub mod periods;
mod pool;
mod pool_manager;
mod pooler;
mod prepared;
pub mod purge;
mod row_state;
mod schema;
pub mod seen_systems;
mod server;
pub mod service_defaults;
pub mod signing_keys;
mod system_facts;
pub mod systems;
pub mod unavailable_uploads;
pub mod usage_days;
pub mod writers;

pub use connection::{Conn, lift_statement_timeout};
pub use connector::{Connector, Session};
pub use error::DbError;
pub use lane::Lane;
pub use libpq::libpq_version;
pub use pool::Db;

/// Converts bytes to Postgres' type. Settings limit sizes far below the largest `bigint`.
pub(crate) fn to_bigint(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Converts bytes from Postgres' type. The tables have no negative sizes.
pub(crate) fn from_bigint(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}
