//! The upgrade of a long history: nothing is copied, and everybody who wrote events goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{add_events, partitions};
use crate::harness::{
    Database, DatabaseRole, Server, TIMEOUT, assert_eventually, eventually, plain_command, run,
};
use crate::migrations::schema::revert_from;

/// Returns a database as it was before the history had months, with a history that is too long to be indexed at once.
fn before_months() -> Arc<Database> {
    let database = Arc::new(Database::new());
    revert_from(&database, "2026-11-27-000180");
    add_events(&database, 10_500, 3);
    add_events(&database, 10, 200);
    database
}

fn migrate(database: &Database) {
    run(plain_command().arg("migrate").env("DATABASE_URL", database.url())).exits(0);
}

#[test]
fn table_becomes_the_first_partition_without_being_copied() {
    let database = before_months();
    let file = |table: &str| database.one(&format!("SELECT pg_relation_filenode('{table}')"));
    let events = "SELECT md5(string_agg(e::text, ',' ORDER BY id)) FROM backup_events e";
    let (file_before, events_before) = (file("backup_events"), database.one(events));
    let newest = database.number("SELECT max(id) FROM backup_events");
    migrate(&database);
    assert_eq!(file("backup_events_first"), file_before);
    assert_eq!(database.one(events), events_before);
    assert_eq!(database.number("SELECT count(*) FROM backup_events_first"), 10_510);
    add_events(&database, 1, 0);
    assert_eq!(database.number("SELECT max(id) FROM backup_events"), newest + 1, "the numbers go on");
    // The end of the first partition is more than a week ahead.
    assert!(database.holds(
        "(SELECT next_at > now() + interval '8 days' FROM partitions_of_events() WHERE partition = 'backup_events_first'::regclass)"
    ));
    assert!(database.holds("(SELECT max(next_at) > now() + interval '90 days' FROM partitions_of_events())"));
}

#[test]
fn indexes_of_a_long_first_partition_are_built_while_the_service_runs() {
    let database = before_months();
    migrate(&database);
    let valid = |index: &str| {
        database.one(&format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass"))
    };
    let indexes = ["backup_events_of_system", "backup_events_rare"];
    assert_eq!(indexes.map(valid), ["false", "false"]);
    let server = Server::builder().database(&database).start();
    assert_eventually("the indexes are built", TIMEOUT, || indexes.map(valid) == ["true", "true"]);
    assert_eventually("the old one is dropped", TIMEOUT, || {
        database.one("SELECT to_regclass('backup_events_first_of_system') IS NULL") == "true"
    });
    let system = server.system();
    server.store(&system, b"x");
}

#[test]
fn roles_keep_their_rights() {
    let database = before_months();
    let role = DatabaseRole::new(&database);
    role.grant("SELECT, INSERT ON backup_events");
    migrate(&database);
    let session = role.connect();
    // The statement of every version.
    session.execute("INSERT INTO backup_events (kind, org_id, actor) VALUES ('uploaded', 'acme', 'system')");
    assert_eq!(session.number("SELECT count(*) FROM backup_events"), 10_511);
    session.try_execute("DELETE FROM backup_events").expect_err("it was never granted");
}

#[test]
fn statement_that_was_prepared_before_goes_on() {
    let database = before_months();
    let session = Database::at(database.url());
    session.execute("PREPARE add AS INSERT INTO backup_events (kind, org_id, actor) VALUES ('uploaded', 'acme', 'system')");
    for _ in 0..6 {
        session.execute("EXECUTE add");
    }
    migrate(&database);
    session.execute("EXECUTE add");
    assert_eq!(database.number("SELECT count(*) FROM backup_events WHERE kind = 'uploaded'"), 7);
}

#[test]
fn revert_puts_all_events_back_into_one_table() {
    let database = before_months();
    migrate(&database);
    database.execute(
        "INSERT INTO backup_events (at, kind, org_id, actor) \
         SELECT now() + n * interval '20 days', 'uploaded', 'acme', 'system' FROM generate_series(1, 20) n",
    );
    assert!(partitions(&database).len() > 3);
    let events = "SELECT md5(string_agg(e::text, ',' ORDER BY id)) FROM backup_events e";
    let before = database.one(events);
    revert_from(&database, "2026-11-27-000200");
    assert_eq!(database.one(events), before);
    add_events(&database, 1, 0);
    migrate(&database);
    add_events(&database, 1, 0);
    assert_eq!(database.number("SELECT count(DISTINCT id) FROM backup_events"), 10_532);
}

#[test]
fn indexes_of_the_first_partition_are_attached_while_events_are_written_all_the_time() {
    let database = before_months();
    migrate(&database);
    let valid = |index: &str| {
        database.one(&format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass"))
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let session = Database::at(database.url());
                while !done.load(Ordering::Relaxed) {
                    session.execute(
                        "BEGIN; INSERT INTO backup_events (kind, org_id, actor) VALUES ('uploaded', 'acme', 'system');
                         SELECT pg_sleep(0.005);
                         INSERT INTO backup_events (kind, org_id, actor) VALUES ('pruned', 'acme', 'service'); COMMIT",
                    );
                }
            });
        }
        let _server = Server::builder().database(&database).start();
        let indexes = ["backup_events_of_system", "backup_events_rare"];
        let attached = eventually(TIMEOUT, || indexes.map(valid) == ["true", "true"]);
        done.store(true, Ordering::Relaxed);
        assert!(attached, "the indexes are built: {:?}", indexes.map(valid));
    });
}
