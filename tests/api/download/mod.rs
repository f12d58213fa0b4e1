//! Downloads and lists.

mod content;
mod limits;
mod list;
mod ranges;
mod shared_lists;
mod stalled_clients;
