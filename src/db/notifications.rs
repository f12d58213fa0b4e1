//! Postgres' notifications that a backup was requested, on a connection that does nothing else.
//!
//! A notification is only a hint. One that is sent while nobody listens is lost, and is not sent again. And anyone who can
//! connect may send any number of them: the caller checks that there is a backup request before it wakes an appliance.

use std::collections::HashSet;

use diesel::connection::SimpleConnection;
use uuid::Uuid;

use super::{Conn, DbError};

/// How many are read at a time, so that a flood does not keep the caller from its other work.
const AT_ONCE: usize = 10_000;

/// Subscribes the connection to backup requests. The channel is that of `backup_requests/create.sql`.
pub fn listen(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("LISTEN strongroom_requests")?)
}

/// Returns the systems named by notifications since the last call; does not wait for any.
pub fn received(conn: &mut Conn) -> Result<HashSet<Uuid>, DbError> {
    let mut systems = HashSet::new();
    for notification in conn.notifications_iter().take(AT_ONCE) {
        // A payload that is not an id is ignored.
        systems.extend(notification?.payload.parse::<Uuid>());
    }
    Ok(systems)
}
