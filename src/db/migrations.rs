//! The schema, embedded and applied at start, safe when several processes start at once.

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, DbError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Key of the advisory lock, the same in every version: "strongrm" in ASCII.
const LOCK: i64 = 0x7374_726f_6e67_726d;

/// Applies what is missing and gives the versions applied. Whoever comes second waits for the
/// lock and then finds nothing to do.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    // Waiting for another process's migration is not a hang.
    conn.batch_execute("SET lock_timeout = 0; SET statement_timeout = 0")?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(conn)?;
    let applied = conn
        .run_pending_migrations(MIGRATIONS)
        .map(|versions| versions.iter().map(ToString::to_string).collect())
        .map_err(|e| DbError::Failed(format!("migration: {e}")));
    diesel::sql_query("SELECT pg_advisory_unlock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(conn)?;
    applied
}

/// Whether the schema is the one of this program.
pub fn is_current(conn: &mut Conn) -> Result<bool, DbError> {
    conn.has_pending_migration(MIGRATIONS)
        .map(|pending| !pending)
        .map_err(|e| DbError::Failed(format!("migration: {e}")))
}
