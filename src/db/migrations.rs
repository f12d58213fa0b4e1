//! The migrations of the schema: embedded in the program, applied at start, and safe when several processes start at once.
//!
//! If the schema is current, it is only read. That takes no lock, and needs only the right to read diesel's table of versions.
//!
//! Each missing migration is a transaction of its own. It takes two locks, checks again what is missing, and applies one
//! migration:
//! * The advisory lock, under which older versions of the program migrate. Any role may take it. If a role holds it that may
//!   not migrate, no migration is under way, and the lock is not waited for.
//! * The lock of the table of versions. Only a role that may write the table can take it. While it is held, an older version
//!   that does not hold the advisory lock can't record its migration.
//!
//! After the migrations, the facts of old systems are filled in ([`system_facts`]), which takes no long lock.
//!
//! No wait for a lock is longer than [`LOCK_TIMEOUT`], neither for these locks nor for those of a migration. Otherwise all
//! others that need the same table would wait as well, so uploads would stop. A migration that does not get its lock is rolled
//! back and tried again.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationConnection, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, DbError, system_facts};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The key of the advisory lock, the same in every version: "strongrm" in ASCII.
const LOCK: i64 = 0x7374_726f_6e67_726d;

/// Longer than Postgres lets its own vacuum block us (`deadlock_timeout`), and shorter than an upload waits.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause between two attempts, in which the sessions that waited behind the last attempt can run.
const PAUSE: Duration = Duration::from_secs(1);
/// The least time between two log lines about the same wait.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Applies the missing migrations and returns their versions. A second process waits for the first without a limit, and then
/// finds nothing to do.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let mut applied = Vec::new();
    if is_current(conn)? {
        return Ok(applied);
    }
    let mut logged: Option<Instant> = None;
    loop {
        match apply_next(conn) {
            Ok(Some(version)) => applied.push(version),
            Ok(None) => {
                system_facts::fill(conn)?;
                return Ok(applied);
            }
            Err(error @ (DbError::Conflict(_) | DbError::Exists)) => {
                if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                    log_wait(conn, &error)?;
                    logged = Some(Instant::now());
                }
                sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Logs why a migration is tried again.
fn log_wait(conn: &mut Conn, error: &DbError) -> Result<(), DbError> {
    if matches!(error, DbError::Exists) {
        // Both create the table of versions.
        log::warn!("another process may be migrating at the same time: trying again every second");
        return Ok(());
    }
    let holders = describe(&holders(conn)?);
    log::warn!(
        "a migration waits for a lock held by {holders}, and tries again every second: {error}; \
         SELECT pg_terminate_backend(PROCESS) ends a forgotten session"
    );
    Ok(())
}

/// Whether the schema has every migration of this program. A role that may only read can run this check.
pub fn is_current(conn: &mut Conn) -> Result<bool, DbError> {
    let applied = applied(conn)?;
    let is_applied = all()?.iter().all(|migration| applied.contains(&migration.name().version().to_string()));
    Ok(is_applied && !system_facts::are_missing(conn)?)
}

fn all() -> Result<Vec<Box<dyn Migration<Pg>>>, DbError> {
    MIGRATIONS.migrations().map_err(|error| DbError::Failed(format!("migration: {error}")))
}

/// Returns the recorded versions. Diesel's own function is not used: it first creates the table, for which the role would need
/// the right to create tables even if the table exists.
fn applied(conn: &mut Conn) -> Result<HashSet<String>, DbError> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    if !truth(conn, "to_regclass('__diesel_schema_migrations') IS NOT NULL")? {
        return Ok(HashSet::new());
    }
    let rows: Vec<Version> =
        diesel::sql_query("SELECT version::text FROM __diesel_schema_migrations").load(conn)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Applies the oldest missing migration and returns its version; `None` if none is missing.
fn apply_next(conn: &mut Conn) -> Result<Option<String>, DbError> {
    conn.transaction(|conn| {
        let lock_timeout = LOCK_TIMEOUT.as_millis();
        conn.batch_execute(&format!(
            "SET LOCAL lock_timeout = {lock_timeout}; SET LOCAL statement_timeout = 0"
        ))?;
        let started = Instant::now();
        lock(conn).map_err(|error| match error {
            // A lock timeout, in whatever language Postgres reports it.
            DbError::Failed(text) if started.elapsed() >= LOCK_TIMEOUT => DbError::Conflict(text),
            error => error,
        })?;
        let applied = applied(conn)?;
        let mut missing = all()?;
        missing.retain(|migration| !applied.contains(&migration.name().version().to_string()));
        missing.sort_by(|a, b| a.name().version().cmp(&b.name().version()));
        let Some(next) = missing.first() else { return Ok(None) };
        conn.run_migration(next.as_ref()).map(|version| Some(version.to_string())).map_err(|error| {
            let text = format!("migration {}: {error}", next.name());
            let in_the_way = ["lock timeout", "deadlock detected"].iter().any(|words| text.contains(words));
            if in_the_way { DbError::Conflict(text) } else { DbError::Failed(text) }
        })
    })
}

/// Takes both locks until the end of the transaction.
fn lock(conn: &mut Conn) -> Result<(), DbError> {
    // `support.sql` revokes the functions for advisory locks from everybody except the owner of the tables.
    let may_lock =
        truth(conn, "has_function_privilege('pg_catalog.pg_advisory_xact_lock(bigint)', 'EXECUTE')")?;
    if may_lock && !truth(conn, &format!("pg_try_advisory_xact_lock({LOCK})"))? {
        let holders: Vec<_> = holders(conn)?.into_iter().filter(|holder| holder.advisory).collect();
        if holders.iter().any(|holder| holder.may_migrate) || holders.is_empty() {
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(conn)?;
        } else {
            log::warn!(
                "the lock of migrations is held by {}, which may not migrate: passed over",
                describe(&holders)
            );
        }
    }
    conn.setup()?;
    Ok(conn.batch_execute("LOCK TABLE __diesel_schema_migrations IN SHARE ROW EXCLUSIVE MODE")?)
}

/// A session that may hold the lock for which a migration waits.
#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Nullable<Text>)]
    role: Option<String>,
    #[diesel(sql_type = Text)]
    application: String,
    /// Whether the session holds the advisory lock.
    #[diesel(sql_type = Bool)]
    advisory: bool,
    #[diesel(sql_type = Bool)]
    may_migrate: bool,
}

fn holders(conn: &mut Conn) -> Result<Vec<Holder>, DbError> {
    Ok(diesel::sql_query(include_str!("lock_holders.sql")).bind::<BigInt, _>(LOCK).load(conn)?)
}

fn describe(holders: &[Holder]) -> String {
    let one = |holder: &Holder| {
        let Holder { pid, role, application, .. } = holder;
        format!("process {pid} (role {}, application {application:?})", role.as_deref().unwrap_or("unknown"))
    };
    let all: Vec<_> = holders.iter().map(one).collect();
    if all.is_empty() { "nobody any more".to_owned() } else { all.join(", ") }
}

fn truth(conn: &mut Conn, condition: &str) -> Result<bool, DbError> {
    Ok(diesel::select(diesel::dsl::sql::<Bool>(condition)).get_result(conn)?)
}
