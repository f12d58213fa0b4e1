//! Postgres' notifications that a backup was requested, on a connection that does nothing else.
//!
//! A notification is only a hint: one that is sent while nobody listens is lost, and is not sent again. And anybody who
//! can connect may send any number of them: the caller looks whether there is a request before it wakes somebody.

use std::collections::HashSet;

use diesel::connection::SimpleConnection;
use uuid::Uuid;

use super::{Conn, DbError};

/// How many are read at a time, so that a flood does not keep the caller from everything else.
const AT_ONCE: usize = 10_000;

/// From now on the connection is told of requests. The channel is that of `backup_requests/create.sql`.
pub fn listen(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("LISTEN strongroom_requests")?)
}

/// The systems that somebody says were asked for a backup since the last call; does not wait for any.
pub fn heard(conn: &mut Conn) -> Result<HashSet<Uuid>, DbError> {
    let mut systems = HashSet::new();
    for notification in conn.notifications_iter().take(AT_ONCE) {
        // What is not an id is passed over.
        systems.extend(notification?.payload.parse::<Uuid>());
    }
    Ok(systems)
}
