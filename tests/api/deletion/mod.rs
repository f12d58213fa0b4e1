//! How backups end: deleted, pruned by retention, purged.

mod delete;
mod purge;
mod retention;
