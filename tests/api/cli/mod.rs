//! The command line.

mod audit_large;
mod audit_store;
mod backup_fetch;
mod backup_requests;
mod backups;
mod confirmation;
mod exit;
mod organization_changes;
mod organization_periods;
mod organization_tree;
mod organizations;
mod printed;
mod races;
mod readme;
mod secrets;
mod sweep;
mod sweep_orphans;
mod system_names;
mod tokens;
