//! One connection to Postgres with its time-outs, and the manager that lets the pool throw away
//! the ones that were lost.

use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, R2D2Connection};
use diesel::{Connection, PgConnection};

use super::DbError;
use super::error::one_line;

/// A connection, for the query functions of this room.
pub type Conn = PgConnection;

/// Set on every connection: a hung server or a lock that is never released must not hold a client
/// for longer than its answer may take.
const SESSION: &str = "SET timezone = 'UTC'; SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '15s'; SET application_name = 'strongroom'";

/// libpq's own time-outs: seconds to connect, milliseconds for a peer that does not acknowledge.
const CLIENT: [(&str, &str); 2] = [("connect_timeout", "3"), ("tcp_user_timeout", "10000")];

/// Opens one connection, for the command line and for loops that need one of their own.
pub fn connect(database_url: &str) -> Result<Conn, DbError> {
    let url = with_client_timeouts(database_url);
    let mut conn = PgConnection::establish(&url).map_err(|e| DbError::Unavailable(one_line(&e)))?;
    conn.batch_execute(SESSION)?;
    Ok(conn)
}

/// Adds what the operator did not set, to both forms of libpq's connection strings.
fn with_client_timeouts(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in CLIENT {
        if url.contains(name) {
            continue;
        }
        let separator = match (url.contains("://"), url.contains('?')) {
            (true, true) => '&',
            (true, false) => '?',
            (false, _) => ' ',
        };
        url = format!("{url}{separator}{name}={value}");
    }
    url
}

/// A pooled connection, and whether it was found to be lost.
pub(super) struct Link {
    pub conn: Conn,
    pub lost: bool,
    pub opened: Instant,
}

pub(super) struct Manager {
    pub database_url: String,
}

impl ManageConnection for Manager {
    type Connection = Link;
    type Error = DbError;

    fn connect(&self) -> Result<Link, DbError> {
        connect(&self.database_url).map(|conn| Link { conn, lost: false, opened: Instant::now() })
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), DbError> {
        Ok(link.conn.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        // After a panic a transaction may still be open: what came next would be a part of it,
        // and its COMMIT no commit.
        link.lost || std::thread::panicking() || link.conn.is_broken()
    }
}

#[cfg(test)]
mod tests {
    use super::with_client_timeouts;

    #[test]
    fn timeouts_are_added_to_both_forms_and_never_twice() {
        let cases = [
            ("postgres://h/db", "postgres://h/db?connect_timeout=3&tcp_user_timeout=10000"),
            ("postgres:///db?host=/s", "postgres:///db?host=/s&connect_timeout=3&tcp_user_timeout=10000"),
            ("host=h dbname=db", "host=h dbname=db connect_timeout=3 tcp_user_timeout=10000"),
            ("host=h connect_timeout=9 tcp_user_timeout=1", "host=h connect_timeout=9 tcp_user_timeout=1"),
        ];
        for (given, expected) in cases {
            assert_eq!(with_client_timeouts(given), expected);
        }
    }
}
