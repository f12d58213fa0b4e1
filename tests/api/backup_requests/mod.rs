//! Backup requests: a portal creates them, an appliance waits for them and fulfils them.

mod header;
mod lifecycle;
mod waiting;
