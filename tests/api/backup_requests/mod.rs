//! Backup requests: made by a portal, waited for and fulfilled by an appliance.

mod header;
mod lifecycle;
mod waiting;
