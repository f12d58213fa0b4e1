//! The command line.

mod audit_large;
mod audit_store;
mod backup_requests;
mod backups;
mod confirmation;
mod exit;
mod organizations;
mod races;
mod secrets;
mod sweep;
mod sweep_orphans;
mod tokens;
