//! Checks that no connection pooler shares our session with other clients.
//!
//! A pooler may use another session for each transaction or statement. Then one client's settings would apply to another
//! client, and one client would execute what another has prepared: wrong results, not only errors. A pooler does not report
//! its mode. So two sessions are marked, and each mark is checked again while the other session is used.
//!
//! Each command here is one statement in one message, so that it means the same in every mode of a pooler.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use uuid::Uuid;

use super::connection::open;
use super::connection_string::ConnectionString;
use super::limited::limited;
use super::{Conn, DbError};

/// A pooler that has no free session lets a client wait for minutes.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Enough rounds to recognize a pooler that uses few sessions in turn: the order of the two checks alternates.
const ROUNDS: usize = 4;

const SHARED: &str = "DATABASE_URL: it leads to a connection pooler that lets clients share sessions (pgbouncer: pool_mode \
     is transaction or statement); Strongroom works with pool_mode = session";

/// The text of the exception that a check raises in a session without its mark.
const FOREIGN: &str = "strongroom: not the session that was marked";

/// Returns the session if no other client uses it. If a pooler shares sessions, the error is [`DbError::Setting`].
pub(super) fn check(first: Conn, address: &ConnectionString) -> Result<Conn, DbError> {
    let address = address.clone();
    let work = move || {
        let mut first = first;
        are_kept(&mut first, &address).map(|()| first)
    };
    limited("pooler", TIMEOUT, work).unwrap_or_else(|| {
        Err(DbError::Unavailable(
            "could not open a second connection within 5 s: each process needs up to 20 (pgbouncer: default_pool_size)"
                .to_owned(),
        ))
    })
}

fn are_kept(first: &mut Conn, address: &ConnectionString) -> Result<(), DbError> {
    let mut second = open(address)?;
    let (first_mark, second_mark) = (Uuid::now_v7(), Uuid::now_v7());
    set_mark(first, first_mark)?;
    set_mark(&mut second, second_mark)?;
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            has_mark(first, first_mark)?;
            has_mark(&mut second, second_mark)?;
        } else {
            has_mark(&mut second, second_mark)?;
            has_mark(first, first_mark)?;
        }
    }
    // A pooler with spare sessions uses the other client's session while this client is in a transaction.
    run(&mut second, "BEGIN")?;
    has_mark(first, first_mark)?;
    run(&mut second, "COMMIT")?;
    has_mark(&mut second, second_mark)
}

fn set_mark(conn: &mut Conn, mark: Uuid) -> Result<(), DbError> {
    run(conn, &format!("SELECT set_config('strongroom.session', '{mark}', false)"))
}

fn has_mark(conn: &mut Conn, mark: Uuid) -> Result<(), DbError> {
    run(
        conn,
        &format!(
            "DO $$ BEGIN IF current_setting('strongroom.session', true) IS DISTINCT FROM '{mark}' \
             THEN RAISE EXCEPTION '{FOREIGN}'; END IF; END $$"
        ),
    )
}

fn run(conn: &mut Conn, sql: &str) -> Result<(), DbError> {
    conn.batch_execute(sql).map_err(|error| {
        // The second text is an error of pgbouncer in the mode `statement`.
        let shared = [FOREIGN, "statement pooling mode"].iter().any(|text| error.to_string().contains(text));
        if shared { DbError::Setting(SHARED.to_owned()) } else { error.into() }
    })
}
