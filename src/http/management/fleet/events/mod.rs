//! `/api/events` and `/api/systems/{id}/events`: who did what, newest first.

pub mod body;
mod cursor;
pub mod list;
mod query;
