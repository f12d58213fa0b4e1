//! The tables: migrated up and down, by several processes at once, and each with a comment.

use std::path::PathBuf;

use crate::harness::{BACKUPS, Database, Output, Server, plain_command, run};

fn migrate(database: &Database) -> Output {
    run(plain_command().arg("migrate").env("DATABASE_URL", database.url()))
}

/// Returns `up.sql` or `down.sql` of every migration, oldest first.
pub fn scripts(name: &str) -> Vec<String> {
    let folder = crate::common::repository().join("migrations");
    let mut all: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the migrations")
        .map(|entry| entry.expect("a migration").path())
        .filter(|path| path.is_dir())
        .collect();
    all.sort();
    all.iter().map(|path| std::fs::read_to_string(path.join(name)).expect("a script")).collect()
}

/// Reverts the migrations from the one with this date and number on.
pub fn revert_from(database: &Database, first: &str) {
    let folder = crate::common::repository().join("migrations");
    let names = std::fs::read_dir(&folder)
        .expect("the migrations")
        .map(|entry| entry.expect("a migration").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("a name")).collect();
    names.retain(|name| name.as_str() >= first && folder.join(name).is_dir());
    names.sort();
    for name in names.iter().rev() {
        database.execute(&std::fs::read_to_string(folder.join(name).join("down.sql")).expect("a script"));
        let version: String = name.chars().take_while(|&c| c != '_').filter(char::is_ascii_digit).collect();
        database.execute(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"));
    }
}

/// Returns everything that a migration can create, one line each.
fn schema(database: &Database) -> Vec<String> {
    database.all(
        "SELECT what FROM (
            SELECT concat_ws(' ', 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)) AS what
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_\\_diesel%'
            UNION ALL SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE '\\_\\_diesel%'
            UNION ALL SELECT concat_ws(' ', 'view', viewname, definition) FROM pg_views WHERE schemaname = 'public'
            UNION ALL SELECT concat_ws(' ', 'function', oid::regprocedure, prosrc) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE 'diesel%'
            UNION ALL SELECT concat_ws(' ', 'trigger', tgname, pg_get_triggerdef(oid)) FROM pg_trigger
            WHERE NOT tgisinternal
            UNION ALL SELECT concat_ws(' ', 'type', typname) FROM pg_type
            WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
         ) everything ORDER BY what",
    )
}

#[test]
fn every_migration_can_be_reverted_and_applied_again() {
    let database = Database::empty();
    let untouched = schema(&database);
    migrate(&database).exits(0);
    let made = schema(&database);
    assert!(made.iter().any(|line| line.starts_with("column backups ")));
    for script in scripts("down.sql").iter().rev() {
        database.execute(script);
    }
    assert_eq!(schema(&database), untouched, "down.sql leaves nothing");
    database.execute("DELETE FROM __diesel_schema_migrations");
    migrate(&database).exits(0);
    assert_eq!(schema(&database), made);
}

#[test]
fn reverted_migration_drops_its_rows() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    server.store(&system, b"x");
    server.kill();
    for script in scripts("down.sql").iter().rev() {
        server.db.execute(script);
    }
}

#[test]
fn several_processes_migrate_at_the_same_time() {
    let database = Database::empty();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&database))).collect();
        for one in all {
            one.join().expect("a command").exits(0);
        }
    });
    let fresh = Database::new();
    assert_eq!(schema(&database), schema(&fresh));
}

#[test]
fn repeated_migration_changes_nothing() {
    let database = Database::new();
    let before = schema(&database);
    migrate(&database).exits(0);
    assert_eq!(schema(&database), before);
}

#[test]
fn serve_migrates_unless_no_migrate_is_given() {
    let database = std::sync::Arc::new(Database::empty());
    let server = Server::builder().database(&database).start();
    let system = server.system();
    server.store(&system, b"x");
    let empty = Database::empty();
    let store = crate::harness::Store::new();
    let mut command = plain_command();
    command
        .args(["serve", "--no-migrate"])
        .env("DATABASE_URL", empty.url())
        .env("LISTEN_ADDRESS", "127.0.0.1:0")
        .env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
    let mut child = command.env("BACKUP_DATA_DIR", store.path()).spawn().expect("start strongroom");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(1);
    crate::harness::eventually(crate::harness::TIMEOUT, || {
        std::time::Instant::now() >= end || child.try_wait().is_ok_and(|ended| ended.is_some())
    });
    let made = empty.all("SELECT relname::text FROM pg_class WHERE relname = 'backups'");
    let _ = child.kill();
    let _ = child.wait();
    assert!(made.is_empty(), "--no-migrate made tables");
}

#[test]
fn every_table_and_column_has_a_comment() {
    let database = Database::new();
    let silent = database.all(
        "SELECT c.relname || coalesce('.' || a.attname, '')
         FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attnum >= 0
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
           AND c.relname NOT LIKE '\\_\\_diesel%'
           AND coalesce(col_description(c.oid, a.attnum), '') = '' AND a.attnum IS NOT NULL
         UNION ALL
         SELECT relname FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
           AND relname NOT LIKE '\\_\\_diesel%' AND coalesce(obj_description(oid, 'pg_class'), '') = ''",
    );
    assert_eq!(silent, Vec::<String>::new(), "no COMMENT");
}

#[test]
fn database_sessions_have_short_timeouts() {
    use diesel::dsl::sql;
    use diesel::prelude::*;
    use diesel::sql_types::Text;
    let database = Database::new();
    let mut session = database.session();
    for (name, expected) in
        [("jit", "off"), ("enable_bitmapscan", "off"), ("statement_timeout", "10s"), ("lock_timeout", "3s")]
    {
        let setting = sql::<Text>(&format!("current_setting('{name}')"));
        let found: String = diesel::select(setting).get_result(&mut session.conn).expect("a setting");
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn constraints_refuse_impossible_rows() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, b"x");
    for never in [
        "UPDATE org_usage SET stored_bytes = -1",
        "UPDATE org_usage SET reserved_bytes = -1",
        "UPDATE backups SET size_bytes = -1",
        "UPDATE backups SET sha256 = NULL",
        "UPDATE backups SET size_bytes = NULL",
        "UPDATE backups SET sha256 = '\\x00'",
        "UPDATE backups SET state = 'lost'",
        "UPDATE systems SET secret_sha256 = '\\x00'",
        "UPDATE systems SET system_key = '../x'",
        "DELETE FROM organizations",
        "DELETE FROM systems",
    ] {
        assert!(server.db.try_execute(never).is_err(), "{never}");
    }
}

#[test]
fn unknown_state_in_a_row_is_an_error_that_names_it() {
    let server = Server::start();
    let (system, other) = (server.system(), server.system());
    server.store(&system, b"x");
    server.cli(["request", &system.key]).exits(0);
    for (table, arguments, of) in [
        ("backup_requests", &["request", &system.key, "--list"][..], "a request"),
        ("backups", &["system", "destroy", &system.key, "--yes"], "a backup"),
        ("systems", &["system", "show", &system.key], "a system"),
    ] {
        server.db.execute(&format!("ALTER TABLE {table} DROP CONSTRAINT {table}_state_check"));
        server.db.execute(&format!("UPDATE {table} SET state = 'odd'"));
        let refused = run(server.command([]).args(arguments)).exits(1);
        assert!(refused.stderr.contains(&format!("\"odd\" is no state of {of}")), "{refused:?}");
    }
    server.get(BACKUPS).user(&other).send().status(503);
    // The other rows are unchanged.
    server.db.execute("UPDATE systems SET state = 'active'; UPDATE backups SET state = 'stored'");
    server.get(BACKUPS).user(&other).send().status(200);
}

#[test]
fn several_servers_start_at_once_on_an_empty_database() {
    let database = std::sync::Arc::new(Database::empty());
    let store = std::sync::Arc::new(crate::harness::Store::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let start = || Server::builder().database(&database).store(&store).start();
            scope.spawn(start);
        }
    });
    let made = database.number("SELECT count(*) FROM __diesel_schema_migrations");
    assert_eq!(usize::try_from(made), Ok(scripts("up.sql").len()));
}
