//! Behind pgbouncer: session mode works, and a pooler that shares sessions is refused at the start.

use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use crate::harness::{
    BACKUPS, Database, Output, PgBouncer, Server, Store, TIMEOUT, assert_eventually, bytes, plain_command,
    run,
};

/// Checks that the exit code is 2, and that one line says what to set.
#[track_caller]
fn is_refused(what: &str, output: Output) {
    let output = output.exits(2);
    let lines: Vec<_> = output.stderr.lines().filter(|line| line.starts_with("strongroom: ")).collect();
    assert_eq!(lines.len(), 1, "{what}: {output:?}");
    assert!(
        lines[0].contains("DATABASE_URL") && lines[0].contains("pool_mode = session"),
        "{what}: {output:?}"
    );
}

#[test]
fn pooler_that_shares_sessions_is_refused_by_serve_and_by_commands() {
    let database = Database::new();
    let bouncer = PgBouncer::before(&database);
    let store = Store::new();
    for settings in [
        "pool_mode = transaction",
        "pool_mode = transaction\ndefault_pool_size = 1",
        "pool_mode = transaction\ndefault_pool_size = 2\nserver_round_robin = 1",
        "pool_mode = transaction\ndefault_pool_size = 5\nserver_round_robin = 1",
        "pool_mode = statement",
        "pool_mode = statement\ndefault_pool_size = 1",
    ] {
        bouncer.run(settings);
        if !settings.contains("size = 1") {
            open_sessions(&bouncer, if settings.contains("size = 2") { 2 } else { 5 });
        }
        let command = |arguments: &[&str]| {
            let mut command = plain_command();
            command.args(arguments).env("DATABASE_URL", bouncer.url()).envs(store.settings());
            command.env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
            run(&mut command)
        };
        for arguments in [&["serve"][..], &["org", "list"], &["migrate"]] {
            is_refused(&format!("{settings:?} {arguments:?}"), command(arguments));
        }
    }
}

/// Makes the pooler open this many sessions, which it then has in reserve.
fn open_sessions(bouncer: &PgBouncer, sessions: usize) {
    let mut all: Vec<_> =
        (0..sessions).map(|_| PgConnection::establish(&bouncer.url()).expect("connect")).collect();
    let slow = "SELECT pg_sleep(0.2)";
    std::thread::scope(|scope| {
        for one in &mut all {
            scope.spawn(|| one.batch_execute(slow).expect("sleep"));
        }
    });
}

#[test]
fn pooler_in_session_mode_works() {
    let database = Arc::new(Database::new());
    let bouncer = PgBouncer::before(&database);
    bouncer.run("pool_mode = session\ndefault_pool_size = 30");
    let server = Server::builder().database(&database).set("DATABASE_URL", bouncer.url()).start();
    let system = server.system();
    let body = bytes(1000);
    let id = server.store(&system, &body);
    assert_eq!(server.fetch(&system, &id).send().status(200).body, body);
    server.cli(["request", &system.key]).exits(0);
    assert_eq!(server.get(BACKUPS).user(&system).send().status(200).data()["backups"][0]["id"], id);
    server.delete(&system, &id).status(200);
    server.audit_is_clean();
    assert!(server.stop_gracefully().success());
}

#[test]
fn pooler_that_starts_to_share_sessions_later_gets_no_queries() {
    let database = Arc::new(Database::new());
    let bouncer = PgBouncer::before(&database);
    let store = Arc::new(Store::new());
    let server = Server::builder()
        .database(&database)
        .store(&store)
        .set("DATABASE_URL", bouncer.url())
        .unready()
        .start();
    let system = {
        // A server that is connected directly, without the pooler.
        let direct = Server::builder().database(&database).store(&store).start();
        let system = direct.system();
        direct.store(&system, &bytes(10));
        system
    };
    let before = database.number("SELECT count(*) FROM backups");
    bouncer.run("pool_mode = transaction\ndefault_pool_size = 1");
    assert_eventually("the refusal is in the log", TIMEOUT, || server.log().contains("pool_mode = session"));
    for _ in 0..3 {
        server.put(&system, &bytes(10)).is_unavailable();
        server.get(BACKUPS).user(&system).send().is_unavailable();
        assert_eq!(server.get("/api/health").send().data()["database"], "down");
    }
    assert_eq!(database.number("SELECT count(*) FROM backups"), before);
    bouncer.run("pool_mode = session\ndefault_pool_size = 30");
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    server.store(&system, &bytes(10));
}
