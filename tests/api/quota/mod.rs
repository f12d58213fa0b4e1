//! Quota and accounting: exact to the byte, also for many at once.

mod batched_operations;
mod concurrency;
mod last_bytes;
mod repeated_refusals;
mod shared_commit;
mod size_limits;
