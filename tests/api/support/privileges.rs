//! The role `support`: its limits, and that the rights which cannot be revoked do no harm.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{
    Database, Output, REQUESTS, Server, TIMEOUT, assert_eventually, plain_command, request_ids, run,
};

/// Runs the script as an operator would, without `ON_ERROR_STOP`.
pub fn support_sql(url: &str, options: &[&str]) -> Output {
    let script = crate::common::repository().join("deploy/postgres/support.sql");
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet"]).args(options).arg("-f").arg(script).arg(url);
    run(&mut command)
}

#[test]
fn support_role_writes_nothing_and_takes_no_lock_even_in_read_write_sessions() {
    let database = Database::new();
    support_sql(database.url(), &[]).exits(0);
    let support = Database::at(&database.url_as("support"));
    for forbidden in [
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "CREATE TEMPORARY TABLE mine (x int)",
        "CREATE TABLE mine (x int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_xact_lock_shared(1, 2)",
        "SELECT pg_try_advisory_lock(n) FROM generate_series(1, 10) AS n",
        "SELECT * FROM __diesel_schema_migrations",
        "LOCK TABLE backups IN ROW SHARE MODE",
        "SELECT id FROM systems FOR KEY SHARE",
        "SELECT key FROM signing_keys",
        "SELECT secret_sha256 FROM systems",
        "UPDATE backups SET filename = 'x'",
    ] {
        let tried = support.try_execute(&format!("BEGIN READ WRITE; {forbidden}; COMMIT"));
        let error = tried.expect_err(forbidden).to_string();
        assert!(error.contains("permission denied"), "{forbidden}: {error}");
        support.execute("ROLLBACK");
    }
    support.execute(
        "SELECT * FROM support_systems; SELECT * FROM support_orgs; SELECT * FROM support_recent_events",
    );
    // The owner of the tables can still migrate.
    run(plain_command().arg("migrate").env("DATABASE_URL", database.url())).exits(0);
}

#[test]
fn support_role_has_few_sessions_with_timeouts() {
    let database = Database::new();
    support_sql(database.url(), &[]).exits(0);
    let support = Database::at(&database.url_as("support"));
    for (setting, value) in [
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "1min"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("search_path", "public"),
    ] {
        assert_eq!(support.one(&format!("SELECT current_setting('{setting}')")), value, "{setting}");
    }
    assert_eq!(database.number("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'support'"), 10);
}

#[test]
fn support_script_finds_the_tables_in_any_schema() {
    let database = Database::empty();
    let migrate = |schema: &str| {
        database.execute(&format!("CREATE SCHEMA \"{schema}\""));
        let name = database.one("SELECT current_database()");
        database.execute(&format!("ALTER DATABASE {name} SET search_path = '{schema}'"));
        run(plain_command().arg("migrate").env("DATABASE_URL", database.url())).exits(0);
    };
    migrate("The vault");
    support_sql(database.url(), &[]).exits(0);
    let support = || Database::at(&database.url_as("support"));
    support().execute("SELECT * FROM support_systems");
    assert_eq!(support().one("SELECT current_schema()"), "The vault");
    migrate("another");
    let stopped = support_sql(database.url(), &[]);
    assert!(stopped.code != 0 && stopped.stderr.contains("schema=NAME"), "{stopped:?}");
    support_sql(database.url(), &["-v", "schema=another"]).exits(0);
    assert_eq!(support().one("SELECT current_schema()"), "another");
    support().execute("SELECT * FROM support_orgs");
}

#[test]
fn support_script_grants_nothing_and_fails_if_a_table_is_missing() {
    let empty = Database::empty();
    let stopped = support_sql(empty.url(), &[]);
    assert!(stopped.code != 0 && stopped.stderr.contains("strongroom migrate"), "{stopped:?}");
    let stopped = support_sql(empty.url(), &["-v", "schema=public"]);
    assert!(stopped.code != 0 && stopped.stderr.contains("support_systems"), "{stopped:?}");
    let database = Database::new();
    database.execute("DROP VIEW support_orgs");
    let stopped = support_sql(database.url(), &[]);
    assert!(stopped.code != 0 && stopped.stderr.contains("support_orgs"), "{stopped:?}");
    assert!(!database.holds("EXISTS (SELECT FROM pg_roles WHERE rolname = 'support') AND has_table_privilege('support', 'backups', 'SELECT')"));
}

#[test]
fn support_script_tells_an_owner_without_superuser_rights_what_remains() {
    let database = Database::empty();
    let role = crate::harness::DatabaseRole::new(&database);
    database.execute(&format!(
        "ALTER ROLE {} CREATEROLE; GRANT CREATE ON SCHEMA public TO {}",
        role.name, role.name
    ));
    let name = database.one("SELECT current_database()");
    database.execute(&format!("ALTER DATABASE {name} OWNER TO {}", role.name));
    run(plain_command().arg("migrate").env("DATABASE_URL", role.url())).exits(0);
    let done = support_sql(&role.url(), &[]).exits(0);
    for word in ["large objects", "advisory locks", "superuser"] {
        assert!(done.stderr.contains(word), "no {word:?}: {done:?}");
    }
    assert!(done.stderr.lines().filter(|line| line.contains("WARNING")).count() < 3, "{done:?}");
    support_sql(database.url(), &[]).exits(0);
    // The owner of the tables can still migrate: the locks are the owner's, and so are new tables.
    database.execute(&format!("ALTER DATABASE {name} OWNER TO CURRENT_USER"));
    for right in [
        "function_privilege('{}', 'pg_advisory_xact_lock(bigint)', 'EXECUTE')",
        "schema_privilege('{}', 'public', 'CREATE')",
    ] {
        let may = format!("has_{}", right.replace("{}", &role.name));
        assert!(database.holds(&may), "{may}");
    }
}

#[test]
fn forged_notifications_end_no_wait_and_delay_no_request() {
    let server = Server::unlimited();
    let system = server.system();
    support_sql(server.db.url(), &[]).exits(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let support = Database::at(&server.db.url_as("support"));
            let id = &system.id;
            while !over.load(Ordering::Relaxed) {
                support.execute(&format!(
                    "BEGIN; SELECT pg_notify('strongroom_requests', n::text) FROM generate_series(1, 1000) AS n; \
                     NOTIFY strongroom_requests, '{id}'; NOTIFY strongroom_requests; \
                     SELECT pg_notify('strongroom_requests', gen_random_uuid()::text) FROM generate_series(1, 100); COMMIT"
                ));
            }
        });
        for _ in 0..3 {
            let waiting = scope.spawn(|| server.get(&format!("{REQUESTS}?wait=60")).user(&system).send());
            assert_eventually("it waits", TIMEOUT, || {
                crate::harness::sample(&server.metrics(), "strongroom_systems_waiting") > 0.0
            });
            server.cli(["request", &system.key]).exits(0);
            assert_eq!(request_ids(&waiting.join().expect("an answer")).len(), 1);
            server.store(&system, b"the answer");
        }
        over.store(true, Ordering::Relaxed);
    });
    let errors = r#"strongroom_task_runs_total{result="error",task="listen"}"#;
    assert!(crate::harness::sample(&server.metrics(), errors) < 0.5, "{}", server.log());
}
