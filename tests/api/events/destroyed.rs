//! The history of what is gone: names of destroyed systems, files of deleted backups.

use super::recorded;
use crate::harness::{Server, TIMEOUT, assert_eventually, bytes};

#[test]
fn names_of_destroyed_systems_stay_in_the_history() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, b"x");
    server.db.execute("UPDATE systems SET name = 'fw-vienna'");
    server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    assert!(server.db.all("SELECT id::text FROM systems").is_empty());
    let names = "SELECT DISTINCT system_key || ' ' || system_name FROM support_recent_events WHERE system_id IS NOT NULL";
    assert_eq!(server.db.all(names), [format!("{} fw-vienna", system.key)]);
    let gone = "SELECT concat_ws(' ', id, system_key, org_id, name, destroyed_at > now() - interval '1 minute') \
         FROM destroyed_systems";
    assert_eq!(server.db.one(gone), format!("{} {} {} fw-vienna t", system.id, system.key, system.org));
    // Another system gets the same key: each has its own name.
    let again = ["system", "add", "--org", &system.org, "--name", "fw-graz", "--key", &system.key];
    server.cli(again).exits(0);
    let by_name =
        |name: &str| format!("SELECT count(*) FROM support_recent_events WHERE system_name = '{name}'");
    assert_eq!(server.db.number(&by_name("fw-graz")), 1);
    assert!(server.db.number(&by_name("fw-vienna")) > 2);
    let in_org = format!("{}/{}", system.org, system.key);
    for name in [&system.key, &in_org, &system.id] {
        let listed = server.cli(["events", "--system", name]).exits(0);
        listed.says("fw-vienna");
        assert_eq!(listed.stdout.contains("fw-graz"), name != &system.id, "{listed:?}");
    }
}

#[test]
fn system_whose_row_the_service_drops_later_keeps_its_name() {
    let server = Server::start();
    let system = server.system();
    server.upload(&system).chunked("").send().status(400);
    server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    assert_eq!(server.db.all("SELECT state FROM systems"), ["destroying"], "a tombstone keeps the row");
    server.db.execute("UPDATE backups SET purge_after = now()");
    assert_eventually("the row is dropped", TIMEOUT, || {
        server.db.all("SELECT id::text FROM systems").is_empty()
    });
    assert_eq!(server.db.one("SELECT system_key FROM destroyed_systems"), system.key);
}

#[test]
fn row_that_was_restored_after_its_destruction_does_not_keep_others() {
    let server = Server::start();
    let (restored, other) = (server.system(), server.system());
    server.db.execute(&format!(
        "INSERT INTO destroyed_systems SELECT id, system_key, org_id, 'before' FROM systems WHERE id = '{}'",
        restored.id
    ));
    for system in [&restored, &other] {
        server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    }
    assert!(server.db.all("SELECT id::text FROM systems").is_empty());
    assert_eq!(server.db.number("SELECT count(*) FROM destroyed_systems WHERE name <> 'before'"), 2);
}

#[test]
fn files_that_are_gone_are_named() {
    let server = Server::with([("BACKUP_MAX_PER_SYSTEM", "2")]);
    let system = server.system();
    let store = |name: &str, size: usize| {
        server.upload(&system).header("x-filename", name).body(bytes(size)).send().id()
    };
    store("oldest.tar.gz", 11);
    let second = store("second.tar.gz", 22);
    store("newest.tar.gz", 33);
    server.delete(&system, &second).status(200);
    let pruned = r#"service {"size": 11, "reason": "slots", "filename": "oldest.tar.gz"}"#;
    assert_eq!(recorded(&server, "pruned"), [pruned]);
    let deleted = r#"system 127.0.0.1 {"size": 22, "filename": "second.tar.gz"}"#;
    assert_eq!(recorded(&server, "deleted"), [deleted]);
}
