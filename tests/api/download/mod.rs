//! Downloads and lists.

mod content;
mod limits;
mod list;
mod ranges;
mod stalled_clients;
