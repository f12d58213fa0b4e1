//! A connection to Postgres with its time-outs, and the manager by which the pool discards connections that were lost.

use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, R2D2Connection};
use diesel::{Connection, PgConnection};

use super::DbError;
use super::connection_string::ConnectionString;
use super::connector::{Connector, Session};
use super::error::one_line;

/// A connection, for the query functions of this room.
pub type Conn = PgConnection;

/// Set on every connection: a hung server or a lock that is never released must not hold a client
/// for longer than its answer may take.
///
/// No bitmap scans: they visit the dead rows that a system's uploads and pruning leave, every time until the next
/// vacuum. A plain index scan marks an entry whose row is dead to everybody, and nobody visits it again; and a
/// system's rows are too few for a bitmap to gain anything.
///
/// No compiled plans: every statement here is over before it would be compiled, and an estimate that is wrong about a
/// large table (a sweep, an audit) would cost it tenths of a second.
const SESSION: &str = "SET timezone = 'UTC'; SET statement_timeout = '10s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '15s'; SET application_name = 'strongroom'; \
     SET enable_bitmapscan = off; SET jit = off";

/// libpq's own time-outs: seconds to connect (to each address of the host; less than 2 there is not, and whoever waits
/// for Postgres to return finds it only with the attempt after the one that met nobody), milliseconds for a peer that
/// does not acknowledge. A machine that lost its power says nothing: whoever waits for its answer finds out by asking
/// every few seconds whether it is still there (the system's default is two hours, for as long as which the thread and
/// its share of the pool would be gone). It also keeps firewalls from forgetting connections that lie in the pool.
const CLIENT: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "10000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
];

/// Opens a connection. Nothing is known yet about the server that it leads to: `Connector` looks at that.
pub(super) fn open(address: &ConnectionString) -> Result<Conn, DbError> {
    let address =
        CLIENT.iter().fold(address.clone(), |address, (name, value)| address.with_default(name, value));
    let mut conn = PgConnection::establish(&address.url())
        .map_err(|e| DbError::Unavailable(without_secrets(&e.to_string())))?;
    conn.batch_execute(SESSION)?;
    Ok(conn)
}

/// Lets statements on this connection take as long as they need: a person waits for the command and can interrupt it, and
/// a question about millions of rows takes longer than a client of the service may wait. Waiting for locks stays limited.
pub fn lift_statement_timeout(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("SET statement_timeout = 0")?)
}

/// What libpq says of a server names its address. All other lines may repeat any part of the connection string, as what
/// they take for a host or a port (`u:sec/ret@host` has the port "sec").
fn without_secrets(message: &str) -> String {
    let of_servers: Vec<_> =
        message.lines().filter(|line| line.starts_with("connection to server ")).collect();
    if of_servers.is_empty() {
        return "libpq can't connect with this DATABASE_URL: look at host, port and options".to_owned();
    }
    one_line(&of_servers.join(" "))
}

/// A pooled connection, and whether it was found to be lost.
pub(super) struct Link {
    pub session: Session,
    pub lost: bool,
    pub opened: Instant,
}

pub(super) struct Manager {
    pub connector: Connector,
}

impl ManageConnection for Manager {
    type Connection = Link;
    type Error = DbError;

    fn connect(&self) -> Result<Link, DbError> {
        let session = self.connector.connect()?;
        Ok(Link { session, lost: false, opened: Instant::now() })
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), DbError> {
        Ok(link.session.conn.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        // After a panic a transaction may still be open. What came next on this connection would be a part of it, and
        // its COMMIT would not commit.
        link.lost || std::thread::panicking() || link.session.conn.is_broken()
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionString, open, without_secrets};

    fn error_of(text: &str) -> String {
        let Some(address) = ConnectionString::parse(text) else { panic!("libpq does not understand {text}") };
        let Err(error) = open(&address) else { panic!("connected with {text}") };
        error.to_string()
    }

    #[test]
    fn a_password_is_not_repeated() {
        for text in ["postgres://u:sec/ret@h/db", "postgres://u:x@sec,127.0.0.1:1/db"] {
            assert!(!error_of(text).contains("sec"), "{text}: {}", error_of(text));
        }
        assert!(error_of("postgres://u:secret@127.0.0.1:1/db").contains("127.0.0.1"));
    }

    #[test]
    fn of_several_messages_those_about_servers_are_told() {
        let message = "could not translate host name \"cret@h\" to address: Name or service not known\n\
            connection to server at \"h\" (192.0.2.1), port 5432 failed: Connection refused\n\
            \tIs the server running on that host and accepting TCP/IP connections?\n";
        let told = "connection to server at \"h\" (192.0.2.1), port 5432 failed: Connection refused";
        assert_eq!(without_secrets(message), told);
    }
}
