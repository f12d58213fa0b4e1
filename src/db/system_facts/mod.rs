//! Fills in the facts of the systems that are older than the facts (`systems.last_backup_at` and the like), once after the
//! upgrade: afterwards whoever changes the rows also writes the facts.
//!
//! The tables are read once, whatever their size, into cursors that outlive their transaction. Then some systems at a time are
//! locked and written, so that uploads wait no longer than for one step. A system whose facts are there already, or whose rows
//! have changed since they were read, is left out: whoever has changed them has written its facts, too.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::schema::service_defaults;
use super::{Conn, DbError};

/// Both queries return rows `step`: some systems as a JSON array.
const QUERIES: [(&str, &str); 2] = [
    (include_str!("of_backups.sql"), include_str!("write_of_backups.sql")),
    (include_str!("of_events.sql"), include_str!("write_of_events.sql")),
];

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    step: String,
}

/// Whether facts are missing.
pub(super) fn are_missing(conn: &mut Conn) -> Result<bool, DbError> {
    Ok(service_defaults::table.select(service_defaults::facts_missing).first(conn)?)
}

/// Fills in the missing facts. It may be repeated, and run in several processes at once.
pub(super) fn fill(conn: &mut Conn) -> Result<(), DbError> {
    for (query, write) in QUERIES {
        conn.transaction::<_, DbError, _>(|conn| {
            let declare = format!("DECLARE facts NO SCROLL CURSOR WITH HOLD FOR {query}");
            Ok(conn.batch_execute(&format!("SET LOCAL statement_timeout = 0; {declare}"))?)
        })?;
        let written = write_steps(conn, write);
        conn.batch_execute("CLOSE facts")?;
        written?;
    }
    diesel::update(service_defaults::table).set(service_defaults::facts_missing.eq(false)).execute(conn)?;
    Ok(())
}

fn write_steps(conn: &mut Conn, write: &str) -> Result<(), DbError> {
    loop {
        let step: Vec<Step> = diesel::sql_query("FETCH 1 FROM facts").load(conn)?;
        let Some(Step { step }) = step.into_iter().next() else { return Ok(()) };
        fail_point!("facts.step");
        conn.transaction::<_, DbError, _>(|conn| {
            diesel::sql_query(
                "SELECT FROM systems WHERE id IN (SELECT (fact ->> 'system_id')::uuid FROM jsonb_array_elements($1::jsonb) AS fact) \
                 ORDER BY id FOR NO KEY UPDATE",
            )
            .bind::<Text, _>(&step)
            .execute(conn)?;
            diesel::sql_query(write).bind::<Text, _>(&step).execute(conn)?;
            Ok(())
        })?;
    }
}
