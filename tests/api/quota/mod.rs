//! Quota and accounting: exact to the byte, also with many concurrent uploads.

mod batched_operations;
mod concurrency;
mod last_bytes;
mod many_backups;
mod repeated_refusals;
mod shared_commit;
mod size_limits;
