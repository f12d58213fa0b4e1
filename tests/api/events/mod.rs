//! The history: what is recorded of the actions of appliances, portals and operators.

mod api;
mod command;
mod credentials;
mod destroyed;
mod downloads;
mod failed_uploads;
mod kinds;
mod operators;
mod rows_read;

use crate::harness::Server;

/// Returns the events of a kind, oldest first: actor, address and detail.
fn recorded(server: &Server, kind: &str) -> Vec<String> {
    let columns = "concat_ws(' ', actor, host(remote_addr), detail)";
    server.db.all(&format!("SELECT {columns} FROM backup_events WHERE kind = '{kind}' ORDER BY id"))
}
