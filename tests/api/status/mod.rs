//! The status of a system, and the facts that it follows from.

mod facts;
mod order;
mod periods;
mod refusals;
mod rules;

use crate::harness::{Server, System};

/// Returns a column of the system's line in `support_systems`.
fn shown(server: &Server, system: &System, column: &str) -> String {
    server.db.one(&format!("SELECT {column} FROM support_systems WHERE system_id = '{}'", system.id))
}

fn status(server: &Server, system: &System) -> String {
    shown(server, system, "status")
}

/// Returns the reason of a refusal; the status as well if it is another one.
fn refusal(server: &Server, system: &System) -> String {
    shown(server, system, "CASE status WHEN 'refused' THEN split_part(status_reason, ':', 1) ELSE status END")
}
