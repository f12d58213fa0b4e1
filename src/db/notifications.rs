//! Postgres' notifications that a backup was requested, on a connection that does nothing else.
//!
//! A notification is only a hint: one that is sent while nobody listens is lost, and is not sent again.

use diesel::connection::SimpleConnection;
use uuid::Uuid;

use super::{Conn, DbError};

/// From now on the connection is told of requests. The channel is that of `requests/ask.sql`.
pub fn listen(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("LISTEN strongroom_requests")?)
}

/// The systems that were asked for a backup since the last call; does not wait for any.
pub fn heard(conn: &mut Conn) -> Result<Vec<Uuid>, DbError> {
    let mut systems = Vec::new();
    for notification in conn.notifications_iter() {
        // Anybody may send on the channel: what is not an id is passed over.
        systems.extend(notification?.payload.parse::<Uuid>());
    }
    Ok(systems)
}
