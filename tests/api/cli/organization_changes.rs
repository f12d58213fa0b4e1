//! `strongroom org rename` and `org delete`.

use std::thread;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use crate::harness::{RawClient, Server, TIMEOUT, assert_eventually, bytes, run, run_at_terminal};

/// Returns another session with the database.
fn session(server: &Server) -> PgConnection {
    PgConnection::establish(server.db.url()).expect("connect")
}

fn execute(session: &mut PgConnection, sql: &str) {
    session.batch_execute(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
}

fn history(server: &Server) -> Vec<String> {
    server.db.all(
        "SELECT concat_ws(' ', kind, org_id, actor, detail) FROM backup_events \
         WHERE kind IN ('org_renamed', 'org_deleted') ORDER BY id",
    )
}

#[test]
fn organization_is_renamed_and_keeps_its_id() {
    let server = Server::start();
    server.add_org("acme", Some(5000));
    server.cli(["org", "rename", "acme", "--name", "Acme & Söhne"]).exits(0).says("Acme & Söhne");
    let shown = server.cli(["org", "rename", "acme", "--name", "Acme Ltd.", "--json"]).exits(0).json();
    assert_eq!((&shown["id"], &shown["name"]), (&"acme".into(), &"Acme Ltd.".into()));
    assert_eq!(shown["quota_bytes"], 5000);
    // The same name again changes nothing.
    server.cli(["org", "rename", "acme", "--name", "Acme Ltd."]).exits(0);
    for empty in ["", "  "] {
        server.cli(["org", "rename", "acme", "--name", empty]).exits(2);
    }
    assert_eq!(server.db.all("SELECT name FROM organizations"), ["Acme Ltd."]);
    assert_eq!(
        history(&server),
        [
            r#"org_renamed acme operator {"new": "Acme & Söhne", "old": "A tenant"}"#,
            r#"org_renamed acme operator {"new": "Acme Ltd.", "old": "Acme & Söhne"}"#
        ]
    );
}

#[test]
fn organization_with_systems_is_not_deleted() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    let delete = ["org", "delete", &system.org, "--yes"];
    let refused = server.cli(delete).exits(1);
    for word in ["1 system:", &format!("system list --org {}", system.org), "nothing was changed"] {
        assert!(refused.stderr.contains(word), "no {word:?}: {refused:?}");
    }
    // A failed upload keeps the row of a system that is being destroyed.
    let upload = RawClient::upload(&server, &system, &["Content-Length: 100"]);
    assert_eventually("admitted", TIMEOUT, || server.totals(&system.org) == (10, 100));
    drop(upload);
    assert_eventually("it has failed", TIMEOUT, || server.totals(&system.org) == (10, 0));
    server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    let refused = server.cli(delete).exits(1);
    assert!(
        refused.stderr.contains("1 system:") && refused.stderr.contains("being destroyed"),
        "{refused:?}"
    );
    assert_eq!(server.totals(&system.org), (0, 0));
    assert_eq!(history(&server), [""; 0]);
}

#[test]
fn deleted_organization_leaves_nothing_and_starts_from_zero_when_added_again() {
    let server = Server::start();
    server.add_org("bystander", Some(5));
    server.add_org("acme", Some(100));
    let system = server.add_system("acme", "fw-01");
    server.store(&system, &bytes(80));
    // The running service caches that the organization is full.
    server.upload(&system).body(bytes(90)).send().status(413);
    server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    server.cli(["org", "delete", "acme", "--yes", "--json"]).exits(0).json();
    assert_eq!(server.db.all("SELECT id FROM organizations"), ["bystander"]);
    assert_eq!(server.db.all("SELECT org_id FROM org_usage"), ["bystander"]);
    assert_eq!(server.objects().len(), 0);
    assert_eq!(history(&server), [r#"org_deleted acme operator {"name": "A tenant"}"#]);
    server.cli(["org", "delete", "acme", "--yes"]).exits(1);
    server.cli(["org", "show", "acme"]).exits(1);

    server.add_org("acme", Some(95));
    assert_eq!(server.totals("acme"), (0, 0));
    let system = server.add_system("acme", "fw-01");
    server.store(&system, &bytes(90));
    server.upload(&system).body(bytes(96)).send().status(413);
    assert_eq!(server.totals("acme"), (90, 0));
}

#[test]
fn deletion_of_an_organization_is_confirmed() {
    let server = Server::start();
    server.add_org("acme", None);
    let refused = server.cli(["org", "delete", "acme"]).exits(2);
    assert!(refused.stderr.contains("--yes") && refused.stderr.lines().count() == 1, "{refused:?}");
    for no in ["", "no", "y", "Acme"] {
        let refused = run_at_terminal(server.command(["org", "delete"]).arg("acme"), no).exits(1);
        assert!(refused.stderr.contains("nothing was changed"), "{no:?}: {refused:?}");
    }
    assert_eq!(server.db.all("SELECT id FROM organizations"), ["acme"]);
    let asked = run_at_terminal(server.command(["org", "delete"]).arg("acme"), "acme").exits(0);
    assert!(asked.stderr.contains("A tenant"), "{asked:?}");
    assert_eq!(server.db.number("SELECT count(*) FROM organizations"), 0);
}

#[test]
fn organization_is_deleted_once_by_two_commands() {
    let server = Server::start();
    for round in 0..5 {
        server.add_org("acme", None);
        let delete = || run(&mut server.command(["org", "delete", "acme", "--yes"])).code;
        let codes = thread::scope(|scope| {
            let both = [scope.spawn(delete), scope.spawn(delete)];
            let mut codes = both.map(|thread| thread.join().expect("it ends"));
            codes.sort_unstable();
            codes
        });
        assert_eq!(codes, [0, 1], "round {round}");
    }
    assert_eq!(history(&server).len(), 5);
}

#[test]
fn system_that_is_being_added_keeps_its_organization() {
    let server = Server::start();
    server.add_org("acme", None);
    // A system that another command has added and not committed yet.
    let mut other = session(&server);
    execute(
        &mut other,
        "BEGIN; INSERT INTO systems (id, system_key, org_id, name, secret_sha256) \
         VALUES (gen_random_uuid(), 'key-1', 'acme', 'fw-01', sha256('x'))",
    );
    thread::scope(|scope| {
        let deletion = scope.spawn(|| server.cli(["org", "delete", "acme", "--yes"]));
        assert_eventually("the deletion waits", TIMEOUT, || server.db.waits_for_a_lock());
        execute(&mut other, "COMMIT");
        let refused = deletion.join().expect("it ends").exits(1);
        assert!(refused.stderr.contains("1 system:"), "{refused:?}");
    });
    server.cli(["system", "show", "fw-01"]).exits(0);
    assert_eq!(server.totals("acme"), (0, 0));
}

#[test]
fn system_is_not_added_to_an_organization_that_is_being_deleted() {
    let server = Server::start();
    server.add_org("acme", None);
    let mut other = session(&server);
    execute(&mut other, "BEGIN; DELETE FROM organizations WHERE id = 'acme'");
    thread::scope(|scope| {
        let addition = scope.spawn(|| server.cli(["system", "add", "--org", "acme", "--name", "fw-01"]));
        assert_eventually("the addition waits", TIMEOUT, || server.db.waits_for_a_lock());
        execute(&mut other, "COMMIT");
        let refused = addition.join().expect("it ends").exits(1);
        assert!(refused.stderr.contains("there is no organization acme"), "{refused:?}");
        assert_eq!(refused.stdout, "");
    });
}
