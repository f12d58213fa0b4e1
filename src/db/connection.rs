//! Opens a connection to Postgres, with its timeouts.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::{Connection, PgConnection};

use super::connection_string::ConnectionString;
use super::error::{DbError, one_line};

/// A connection to Postgres, as all query functions of this module take it.
pub type Conn = PgConnection;

/// The settings of every session. The timeouts keep a client from waiting too long for its answer when a server hangs or a
/// lock is never released.
///
/// No bitmap scans: until the next vacuum each of them visits the dead rows that a system's uploads and pruning leave. A
/// plain index scan marks the entries of rows that are dead to all transactions, and later scans skip them. A system has
/// too few rows for a bitmap to gain anything.
///
/// `strongroom.writes_facts`: the transactions of this version write the facts in `systems` themselves, together with the rows in
/// `backups`. For all other sessions triggers do it.
///
/// No compiled plans: every statement here ends before it would be compiled, and a wrong estimate about a large table (for a
/// sweep, an audit) would cost tenths of a second.
const SESSION: &str = "SET timezone = 'UTC'; SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '15s'; SET application_name = 'strongroom'; \
     SET enable_bitmapscan = off; SET jit = off; SET strongroom.writes_facts = 'on'";

/// The limit of a statement in every session.
pub(super) const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '10s'";

/// libpq's own timeouts.
/// * `connect_timeout`: seconds to connect to each address of the host. The minimum is 2. It is short so that the next attempt
///   soon finds a Postgres that has returned.
/// * `tcp_user_timeout`: milliseconds until a peer that does not acknowledge counts as lost.
/// * Keepalives: a machine without power sends nothing, so the kernel probes it every few seconds. By default it would begin
///   after two hours. Until then the thread and its place in the pool would be lost. Keepalives also prevent firewalls from
///   forgetting idle connections of the pool.
const LIBPQ_OPTIONS: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "10000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
];

/// Opens a session. It may lead to any server: `Connector` checks to which.
pub(super) fn open(address: &ConnectionString) -> Result<Conn, DbError> {
    let mut conn = establish(address)?;
    prepare(&mut conn)?;
    Ok(conn)
}

/// Connects, within libpq's own timeouts.
pub(super) fn establish(address: &ConnectionString) -> Result<Conn, DbError> {
    let address = LIBPQ_OPTIONS
        .iter()
        .fold(address.clone(), |address, (name, value)| address.with_default(name, value));
    PgConnection::establish(&address.url()).map_err(|e| DbError::Unavailable(without_secrets(&e.to_string())))
}

/// Makes the settings of a session.
pub(super) fn prepare(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute(&format!("{SESSION}; {STATEMENT_TIMEOUT}"))?)
}

/// Runs `work` in a transaction that this SQL begins, in one round trip with its settings.
pub(super) fn begun_with<T>(
    conn: &mut Conn,
    begin: &str,
    work: impl FnOnce(&mut Conn) -> Result<T, DbError>,
) -> Result<T, DbError> {
    AnsiTransactionManager::begin_transaction_sql(conn, begin)?;
    match work(conn) {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => match AnsiTransactionManager::rollback_transaction(conn) {
            Ok(()) | Err(diesel::result::Error::BrokenTransactionManager) => Err(error),
            Err(rollback) => Err(rollback.into()),
        },
    }
}

/// Removes the time limit of statements on this connection. This is for commands: a person can interrupt them, and a query
/// over millions of rows takes longer than a client of the service may wait. Waits for locks stay limited.
pub fn lift_statement_timeout(conn: &mut Conn) -> Result<(), DbError> {
    Ok(conn.batch_execute("SET statement_timeout = 0")?)
}

/// Returns the lines about servers, which name an address. Any other line may contain a part of the connection string that
/// libpq takes for a host or a port (in `u:sec/ret@host` it takes "sec" for the port).
fn without_secrets(message: &str) -> String {
    let of_servers: Vec<_> =
        message.lines().filter(|line| line.starts_with("connection to server ")).collect();
    if of_servers.is_empty() {
        return "libpq can't connect with this DATABASE_URL: look at host, port and options".to_owned();
    }
    one_line(&of_servers.join(" "))
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
    fn only_lines_about_servers_are_shown() {
        let message = "could not translate host name \"cret@h\" to address: Name or service not known\n\
            connection to server at \"h\" (192.0.2.1), port 5432 failed: Connection refused\n\
            \tIs the server running on that host and accepting TCP/IP connections?\n";
        let shown = "connection to server at \"h\" (192.0.2.1), port 5432 failed: Connection refused";
        assert_eq!(without_secrets(message), shown);
    }
}
