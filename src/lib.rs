//! Strongroom: the vault for a fleet's encrypted configuration backups.
//!
//! `docs/architecture.md` shows the whole on one page and follows an upload, a restore and a backup request from file to
//! file; `docs/glossary.md` has the words.
//!
//! # Modules, and who may import whom
//!
//! ```text
//! main -> cli -> startup -> { http, tasks } -> { backups, fleet } -> { actors, auth, db, store } -> domain
//!                                                                    actors, auth -> db
//!                            tasks, cli -> db, store
//!                            http, cli -> auth
//! ```
//!
//! * [`cli`] - the command line, one file per command
//! * [`startup`] - builds everything from the settings, and stops it in order
//! * [`config`] - the settings, checked; read by `cli` and `startup` alone
//! * [`http`] - routes, extractors, handlers, and the one table from errors to status codes
//! * [`tasks`] - background work: prepare schema and store, renew the lease, listen for backup requests, purge, erase, sweep
//! * [`backups`] - the use cases: upload, list, download, delete, backup requests
//! * [`fleet`] - the use cases about systems and organizations: their status, lists, changes
//! * [`auth`] - who calls: systems by Basic credentials, portals by bearer tokens
//! * [`actors`] - one per organization, to order and batch what changes its totals
//! * [`db`] - the only module with SQL; `db::accounting` has the transactions that change the totals
//! * [`store`] - the only module with objects
//! * [`domain`] - pure types and decisions
//! * [`telemetry`] - logging and metrics
//! * [`failpoints`] - points at which the crash tests end a process; nothing without its feature
//!
//! # The life of a backup
//!
//! `receiving` (admitted, before any byte) -> `stored` (the only state that the API shows) -> `retired` (not in the totals;
//! its object is deleted, then its row). An upload that fails goes from `receiving` to `retired`. A small one that arrives at once
//! is `stored` from the beginning.

#[macro_use]
pub mod failpoints;

pub mod actors;
pub mod auth;
pub mod backups;
pub mod cli;
pub mod config;
pub mod db;
pub mod domain;
pub mod fleet;
pub mod http;
pub mod startup;
pub mod store;
pub mod tasks;
pub mod telemetry;
