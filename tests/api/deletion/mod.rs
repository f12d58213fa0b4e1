//! How backups go: deleted, pruned by retention, purged.

mod delete;
mod purge;
mod retention;
