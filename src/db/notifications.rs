//! Postgres' notifications that a backup was requested, received on a connection that does nothing else.
//!
//! A notification is only a hint. If no connection listens, it is lost and not sent again. Anyone who can connect to the
//! database may send any number of them, so the caller checks that there is a backup request before it wakes an appliance.

use std::collections::HashSet;

use diesel::connection::SimpleConnection;
use uuid::Uuid;

use super::{Conn, DbError};

/// The most notifications that one call reads, so that a flood does not keep the caller from its other work.
const MAX_READ: usize = 10_000;

/// Subscribes the connection to notifications about backup requests (`backup_requests/create.sql` sends them).
pub fn listen(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("LISTEN strongroom_requests")?)
}

/// Returns the systems that were named in notifications since the last call. Does not wait, and does not check that they have
/// a backup request.
pub fn received(conn: &mut Conn) -> Result<HashSet<Uuid>, DbError> {
    let mut systems = HashSet::new();
    for notification in conn.notifications_iter().take(MAX_READ) {
        // A payload that is not an id is ignored.
        systems.extend(notification?.payload.parse::<Uuid>());
    }
    Ok(systems)
}
