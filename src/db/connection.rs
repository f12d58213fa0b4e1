//! A connection to Postgres with its time-outs, and the manager by which the pool discards connections that were lost.

use std::ffi::CString;
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
///
/// No bitmap scans: they visit the dead rows that a system's uploads and pruning leave, every time until the next
/// vacuum. A plain index scan marks an entry whose row is dead to everybody, and nobody visits it again; and a
/// system's rows are too few for a bitmap to gain anything.
const SESSION: &str = "SET timezone = 'UTC'; SET statement_timeout = '10s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '15s'; SET application_name = 'strongroom'; \
     SET enable_bitmapscan = off";

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

/// Opens one connection, for the command line and for loops that need one of their own.
pub fn connect(database_url: &str) -> Result<Conn, DbError> {
    let url = with_client_timeouts(database_url);
    let mut conn =
        PgConnection::establish(&url).map_err(|e| DbError::Unavailable(without_secrets(&one_line(&e))))?;
    conn.batch_execute(SESSION)?;
    Ok(conn)
}

/// Lets statements on this connection take as long as they need: a person waits for the command and can interrupt it, and
/// a question about millions of rows takes longer than a client of the service may wait. Waiting for locks stays limited.
pub fn lift_statement_timeout(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("SET statement_timeout = 0")?)
}

/// What libpq says of a server names its address; what it says of the connection string may repeat any
/// part of it (`u:sec/ret@host` has the port "sec").
fn without_secrets(message: &str) -> String {
    if message.contains("connection to server") {
        message.to_owned()
    } else {
        "libpq can't connect with this DATABASE_URL: look at host, port and options".to_owned()
    }
}

/// Whether libpq understands the connection string. Asked first, because its own message about one
/// that it does not understand would repeat parts of it, the password among them.
#[expect(unsafe_code, reason = "diesel has no wrapper for libpq's parser")]
pub fn is_connection_string(database_url: &str) -> bool {
    let Ok(url) = CString::new(database_url) else { return false };
    // SAFETY: `url` is a C string that lives through the call, the message is not asked for, and
    // what is returned is given back to libpq at once.
    unsafe {
        let parsed = pq_sys::PQconninfoParse(url.as_ptr(), std::ptr::null_mut());
        pq_sys::PQconninfoFree(parsed);
        !parsed.is_null()
    }
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
        // After a panic a transaction may still be open. What came next on this connection would be a part of it, and
        // its COMMIT would not commit.
        link.lost || std::thread::panicking() || link.conn.is_broken()
    }
}

#[cfg(test)]
mod tests {
    use super::with_client_timeouts;

    #[test]
    fn what_libpq_does_not_understand_is_seen() {
        for (url, right) in [
            ("postgres://u:p@h/db", true),
            ("host=h dbname=db", true),
            ("postgres://u:pa%zzword@h/db", false),
            ("nonsense", false),
        ] {
            assert_eq!(super::is_connection_string(url), right, "{url}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let Err(error) = super::connect("postgres://u:sec/ret@h/db") else { panic!("connected") };
        assert!(!error.to_string().contains("sec"), "{error}");
        let Err(error) = super::connect("postgres://u:secret@127.0.0.1:1/db") else { panic!("connected") };
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }

    #[test]
    fn timeouts_are_added_to_both_forms_and_never_twice() {
        let all = |separator| super::CLIENT.map(|(name, value)| format!("{name}={value}")).join(separator);
        let cases = [
            ("postgres://h/db", format!("postgres://h/db?{}", all("&"))),
            ("postgres:///db?host=/s", format!("postgres:///db?host=/s&{}", all("&"))),
            ("host=h dbname=db", format!("host=h dbname=db {}", all(" "))),
        ];
        for (given, expected) in cases {
            assert_eq!(with_client_timeouts(given), expected);
            assert_eq!(with_client_timeouts(&expected), expected);
        }
        let own = with_client_timeouts("host=h connect_timeout=9");
        assert!(own.starts_with("host=h connect_timeout=9 tcp_user_timeout=") && !own.contains("timeout=2"));
    }
}
