//! Migrations while other sessions hold locks, and a service without the right to migrate.

use std::sync::Arc;

use crate::harness::{Database, DatabaseRole, Server, TIMEOUT, assert_eventually, plain_command, run};
use crate::migrations::schema::scripts;

/// The advisory lock of every version: "strongrm" in ASCII.
const LOCK: i64 = 0x7374_726f_6e67_726d;

#[test]
fn start_waits_for_the_migration_lock_and_logs_its_holder() {
    let database = Arc::new(Database::empty());
    database.execute("SET application_name = 'an older version'");
    database.execute(&format!("SELECT pg_advisory_lock({LOCK})"));
    let pid = database.one("SELECT pg_backend_pid()");
    let server = Server::builder().database(&database).unready().start();
    assert_eventually("the log names the session", TIMEOUT, || {
        let log = server.log();
        log.contains(&format!("process {pid} ")) && log.contains("\"an older version\"")
    });
    let health = server.get("/api/health").send().status(503);
    assert_eq!(health.data()["database"], "being prepared");
    assert!(database.all("SELECT relname FROM pg_class WHERE relname = 'backups'").is_empty());
    database.execute(&format!("SELECT pg_advisory_unlock({LOCK})"));
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
}

#[test]
fn role_without_rights_to_migrate_does_not_delay_migrations() {
    let database = Database::empty();
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let role = DatabaseRole::new(&database);
    let onlooker = role.connect();
    for shared in ["", "_shared"] {
        onlooker.execute(&format!("SELECT pg_advisory_lock{shared}({LOCK})"));
    }
    // First without any table, then with the table of versions.
    for done in ["20261121000000", "up to date"] {
        let mut command = plain_command();
        let migrated = run(command.arg("migrate").env("DATABASE_URL", database.url())).exits(0);
        migrated.says(done);
        assert_eq!(migrated.stderr.contains("passed over"), done != "up to date", "{migrated:?}");
    }
    revert_migrations(&database, 1);
    let mut command = plain_command();
    run(command.arg("migrate").env("DATABASE_URL", database.url())).exits(0).says("applied");
    onlooker.disconnect();
}

/// Reverts the newest migrations.
fn revert_migrations(database: &Database, count: usize) {
    for script in scripts("down.sql").iter().rev().take(count) {
        database.execute(script);
        database.execute(
            "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)",
        );
    }
}

#[test]
fn migration_waits_for_a_table_lock_in_steps_that_let_others_through() {
    let database = Database::new();
    revert_migrations(&database, scripts("down.sql").len() - 1);
    let forgotten = Database::at(database.url());
    forgotten.execute("SET application_name = 'a forgotten session'; BEGIN; SELECT count(*) FROM systems");
    std::thread::scope(|scope| {
        let migrate = || run(plain_command().arg("migrate").env("DATABASE_URL", database.url()));
        let migration = scope.spawn(migrate);
        for _ in 0..2 {
            assert_eventually("the migration waits", TIMEOUT, || database.waits_for_a_lock());
            // This query waits behind the migration, which waits itself.
            database.execute("SET lock_timeout = '20s'; SELECT count(*) FROM systems");
        }
        forgotten.execute("ROLLBACK");
        let migrated = migration.join().expect("a command").exits(0);
        migrated.says("applied");
        assert!(migrated.stderr.contains("\"a forgotten session\""), "{migrated:?}");
    });
}

#[test]
fn service_runs_as_a_role_without_rights_to_create_tables() {
    let database = Arc::new(Database::new());
    // Without the second right, health uses another way to check whether commits return.
    database.execute(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) FROM PUBLIC",
    );
    let role = DatabaseRole::new(&database);
    role.grant("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public");
    for arguments in [&["--no-migrate"][..], &[]] {
        let server = Server::builder()
            .database(&database)
            .arguments(arguments)
            .set("DATABASE_URL", role.url())
            .start();
        let system = server.system();
        let id = server.store(&system, b"x");
        server.fetch(&system, &id).send().status(200);
        server.delete(&system, &id).status(200);
        assert_eq!(server.db.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND application_name = 'strongroom'"), 0);
        server.cli(["migrate"]).exits(0).says("up to date");
    }
    role.connect().try_execute("CREATE TABLE mine (x int)").expect_err("it may make tables");
}

#[test]
fn service_without_rights_to_migrate_waits_for_the_migration() {
    let database = Arc::new(Database::new());
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    revert_migrations(&database, 1);
    let role = DatabaseRole::new(&database);
    role.grant("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public");
    let server = Server::builder()
        .database(&database)
        .arguments(&["--no-migrate"])
        .set("DATABASE_URL", role.url())
        .unready()
        .start();
    assert_eventually("the log says what to do", TIMEOUT, || {
        server.log().contains("run `strongroom migrate`")
    });
    assert_eq!(server.get("/api/health").send().data()["database"], "being prepared");
    run(plain_command().arg("migrate").env("DATABASE_URL", database.url())).exits(0);
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
}
