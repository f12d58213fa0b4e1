//! Strongroom: the vault for a fleet's encrypted configuration backups.
//!
//! # The rooms, and who may call whom
//!
//! ```text
//! main -> cli -> startup -> { http, tasks } -> backups -> { actors, db, store } -> domain
//!                                                        actors -> db
//!                            tasks, cli -> db, store
//!                            http, cli -> tokens -> domain
//! ```
//!
//! * [`cli`] - the command line, one file a command family
//! * [`startup`] - builds everything from the settings, and stops it in order
//! * [`config`] - the settings, checked; read by `cli` and `startup` alone
//! * [`http`] - routes, extractors, thin handlers, the table from errors to status codes
//! * [`tasks`] - prepare schema and store, renew the lease, listen for requests, purge, sweep, return memory, compare rows with
//!   objects
//! * [`backups`] - the use cases: authenticate, upload, list, download, delete, request
//! * [`actors`] - one per organization to order and batch what changes its books, one to turn
//!   floods away
//! * [`db`] - the only room with SQL; `db::accounting` has the transactions that change the books
//! * [`store`] - the only room with objects
//! * [`tokens`] - verifies bearer tokens, and makes them for development
//! * [`domain`] - pure types and decisions
//! * [`telemetry`] - logging and metrics
//! * [`failpoints`] - where the crash tests kill a process; nothing without its feature
//!
//! # The life of a backup
//!
//! `receiving` (admitted, before any byte) -> `stored` (the only state that the API shows) ->
//! `retired` (out of the books; its object is deleted, then its row). An upload that fails goes
//! from `receiving` to `retired`. To follow one, read `http/upload.rs`, `backups/upload/mod.rs`, `backups/upload/admit.rs`,
//! `actors/org_actor.rs`, `actors/group_commit.rs`, `db/accounting/`, `backups/upload/intake.rs`, `store/` and `tasks/purge.rs`.
//!
//! A request for a backup goes from `db/backup_requests/create.rs` (somebody asks) to `tasks/listen.rs` and `backups/backup_requests.rs` (the
//! appliance is woken, and sees it) to `db/accounting/apply.sql` (the commit of an upload fulfils it).

#[macro_use]
pub mod failpoints;

pub mod actors;
pub mod auth;
pub mod backups;
pub mod cli;
pub mod config;
pub mod db;
pub mod domain;
pub mod http;
pub mod startup;
pub mod store;
pub mod tasks;
pub mod telemetry;
