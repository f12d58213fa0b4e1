//! `DELETE /api/systems/{id}`: a portal destroys a system, and the service erases it.

use serde_json::{Value, json};

use crate::harness::{
    Answer, ApiDocument, Login, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, eventually,
    sample,
};

const MANAGE: &str = "system:manage";
const PATH: &str = "/api/systems/{id}";
/// A well-formed id that no system has.
const NOBODY: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8";

fn destroy(server: &Server, system: &System, token: &str) -> Answer {
    server.manage("DELETE", &format!("/api/systems/{}", system.id)).bearer(token).send()
}

#[track_caller]
fn is_gone(server: &Server, system: &System) {
    let left = format!(
        "SELECT (SELECT count(*) FROM systems WHERE id = '{0}') + (SELECT count(*) FROM backups WHERE system_id = '{0}') \
         + (SELECT count(*) FROM system_erasures WHERE system_id = '{0}')",
        system.id
    );
    assert_eventually("no row of it is left", TIMEOUT, || server.db.number(&left) == 0);
    let prefix = format!("{}/{}/", system.org, system.key);
    assert!(!server.objects().iter().any(|key| key.starts_with(&prefix)));
}

/// The events about the erasure: kind, actor, address and detail.
fn recorded(server: &Server) -> Vec<String> {
    server.db.all(
        "SELECT concat_ws(' ', kind, actor, host(remote_addr), detail) FROM backup_events \
         WHERE kind IN ('destroyed', 'erased') ORDER BY id",
    )
}

/// A server with a login, and a system with this many backups of 100 bytes and a sibling with one of 7.
fn fixture(backups: usize) -> (Login, Server, System, System) {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let system = server.system();
    let sibling = server.add_system(&system.org, "of the same organization");
    server.store(&sibling, &bytes(7));
    for _ in 0..backups {
        server.store(&system, &bytes(100));
    }
    (login, server, system, sibling)
}

#[test]
fn destroyed_system_leaves_no_object_and_no_row() {
    let (login, server, system, sibling) = fixture(3);
    let token = login.token(&system.org, MANAGE);
    let answer = destroy(&server, &system, &token).status(202);
    assert_eq!(answer.message(), "system is being destroyed");
    assert_eq!(answer.must_have("location"), format!("/api/systems/{}", system.id));
    let erasure = answer.data();
    assert_eq!(
        (&erasure["requested_by"], &erasure["rows_until"]),
        (&json!("portal@example.org"), &Value::Null)
    );
    assert_eq!(erasure["backups_left"], 3);
    assert_eventually("the credential stops working", TIMEOUT, || server.put(&system, b"x").status == 401);
    is_gone(&server, &system);
    assert_eq!(server.totals(&system.org), (7, 0));
    assert_eq!(server.objects().len(), 1);
    assert_eq!(server.list(&sibling).len(), 1);
    let erased =
        r#"erased service {"bytes": 300, "backups": 3, "objects": 3, "requested_by": "portal@example.org"}"#;
    assert_eq!(recorded(&server), ["destroyed portal@example.org 127.0.0.1 {}", erased]);
    let deleted =
        "SELECT DISTINCT actor || ' ' || (detail ->> 'with') FROM backup_events WHERE kind = 'deleted'";
    assert_eq!(server.db.all(deleted), ["portal@example.org token"]);
    destroy(&server, &system, &token).status(404);
    assert_eq!(recorded(&server).len(), 2);
    assert_eq!(server.db.one("SELECT system_key FROM destroyed_systems"), system.key);
}

#[test]
fn state_of_a_destroyed_system_says_by_whom_and_since_when() {
    let (login, server, system, _) = fixture(0);
    server.upload(&system).chunked("").send().status(400);
    destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202);
    let state = "SELECT concat_ws(' ', state, state_by, state_since > now() - interval '1 minute') FROM systems \
         WHERE state <> 'active'";
    assert_eq!(server.db.one(state), "destroying portal@example.org t");
}

#[test]
fn repeated_destruction_says_how_far_it_is() {
    let (login, server, system, _) = fixture(2);
    // The tombstone of a failed upload keeps the row for an hour.
    server.upload(&system).chunked("").send().status(400);
    let first = destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202).data();
    let other = login.token("other", &format!("{MANAGE} backup:admin"));
    let mut now = Value::Null;
    assert_eventually("everything is erased", TIMEOUT, || {
        now = destroy(&server, &system, &other).status(202).data();
        now["phase"] == "waiting"
    });
    for member in ["requested_at", "requested_by"] {
        assert_eq!(now[member], first[member]);
    }
    let viewer = login.token(&system.org, "backup:view");
    let path = format!("/api/systems/{}", system.id);
    let shown = server.manage("GET", &path).bearer(viewer).send().status(200).data();
    assert_eq!((&shown["state"], &shown["erasure"]), (&json!("destroying"), &now));
    assert_eq!((&now["backups_left"], &now["objects_erased"]), (&json!(0), &json!(2)));
    let until = "SELECT to_char(max(purge_after) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') FROM backups \
         WHERE retired_reason = 'failed'";
    let rows_until = now["rows_until"].as_str().expect("a time");
    assert!(rows_until.starts_with(&server.db.one(until)) && rows_until.ends_with('Z'), "{now}");
    assert_eq!(recorded(&server).len(), 1, "it is not complete");
    server.db.execute("UPDATE backups SET purge_after = now() WHERE retired_reason = 'failed'");
    is_gone(&server, &system);
    assert_eq!(recorded(&server).len(), 2);
}

#[test]
fn destruction_needs_the_scope_and_a_system_that_the_caller_sees() {
    let (login, server, system, _) = fixture(1);
    server.add_org("above", None);
    server.add_org("beside", None);
    let api = ApiDocument::of(&server);
    let ask = |id: &str, token: &str, status| {
        let answer = server.manage("DELETE", &PATH.replace("{id}", id)).bearer(token).send().status(status);
        api.describes("DELETE", PATH, &answer);
        answer
    };
    ask(&system.id, "nonsense", 401);
    let weak = login.token(&system.org, "backup:view backup:create backup:delete org:manage backup:admin");
    let refused = ask(&system.id, &weak, 403);
    assert!(refused.must_have("www-authenticate").contains(MANAGE), "{refused}");
    for org in ["beside", "above", "nobody"] {
        let foreign = ask(&system.id, &login.token(org, MANAGE), 404);
        let unknown = ask(NOBODY, &login.token(org, MANAGE), 404);
        assert_eq!(foreign.body, unknown.body, "{org}");
    }
    for id in ["fw-01", &system.key, &system.id.replace('-', "")] {
        ask(id, &login.token(&system.org, MANAGE), 404);
    }
    let conditional = server
        .manage("DELETE", &PATH.replace("{id}", &system.id))
        .bearer(login.token(&system.org, MANAGE))
        .header("if-match", "\"abc\"")
        .send()
        .status(400);
    api.describes("DELETE", PATH, &conditional);
    assert_eq!(server.db.all("SELECT DISTINCT state FROM systems"), ["active"]);
    assert_eq!(server.list(&system).len(), 1);
    // A token of the organization above is valid for its systems.
    server.db.execute(&format!("UPDATE organizations SET parent_id = 'above' WHERE id = '{}'", system.org));
    ask(&system.id.to_uppercase(), &login.token("above", MANAGE), 202);
    is_gone(&server, &system);
}

#[test]
fn upload_under_way_is_refused_and_leaves_nothing() {
    let (login, server, system, _) = fixture(1);
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    raw.send("01234");
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    let erasure = destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202).data();
    assert_eq!(erasure["backups_left"], 1, "an upload is no backup");
    assert_eventually("the upload counts no more", TIMEOUT, || server.totals(&system.org) == (7, 0));
    raw.send("56789");
    raw.answer().is_invalid_token();
    assert_eventually("nothing of it is left", TIMEOUT, || {
        server.objects().len() == 1 && server.temporary().is_empty()
    });
    let failed = "SELECT detail ->> 'reason' FROM backup_events WHERE kind = 'failed'";
    assert_eq!(server.db.all(failed), ["revoked"]);
    server.db.execute("UPDATE backups SET purge_after = now() WHERE retired_reason = 'failed'");
    is_gone(&server, &system);
}

#[test]
fn destruction_begins_while_the_store_is_away_and_ends_when_it_is_back() {
    let (login, server, system, sibling) = fixture(2);
    let token = login.token(&system.org, MANAGE);
    server.store.make_unavailable();
    destroy(&server, &system, &token).status(202);
    assert_eventually("the credential stops working", TIMEOUT, || {
        server.get(crate::harness::BACKUPS).user(&system).send().status == 401
    });
    assert_eventually("the log says why it waits", TIMEOUT, || {
        server.log().contains(&format!("could not erase the system {}", system.id))
    });
    assert_eq!(destroy(&server, &system, &token).status(202).data()["objects_erased"], 0);
    server.store.repair_store();
    assert_eventually("it is erased", TIMEOUT * 2, || recorded(&server).len() == 2);
    is_gone(&server, &system);
    assert_eq!(server.list(&sibling).len(), 1);
}

#[test]
fn row_of_a_system_stays_until_its_objects_are_erased() {
    let (login, server, system, _) = fixture(0);
    server.store.write(&format!("{}/{}/{NOBODY}.bin", system.org, system.key), b"x");
    server.store.make_unavailable();
    destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202);
    // It has no backup, so only the object keeps it.
    let purges = || sample(&server.metrics(), r#"strongroom_task_runs_total{result="ok",task="purge"}"#);
    let before = purges();
    assert_eventually("the purge runs twice", TIMEOUT, || purges() > before + 1.5);
    assert_eq!(server.db.number("SELECT count(*) FROM systems WHERE state = 'destroying'"), 1);
    server.store.repair_store();
    is_gone(&server, &system);
    assert_eq!(recorded(&server).len(), 2);
}

#[test]
fn object_without_a_row_is_erased_with_its_system() {
    let (login, server, system, _) = fixture(1);
    let stray = format!("{}/{}/{NOBODY}.bin", system.org, system.key);
    server.store.write(&stray, b"x");
    destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202);
    is_gone(&server, &system);
    assert!(recorded(&server)[1].contains(r#""objects": 2"#), "{:?}", recorded(&server));
}

#[test]
fn two_processes_erase_many_systems_once_each() {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let other = server.sibling();
    server.add_org("acme", None);
    let systems = server.add_systems("acme", 12);
    for system in &systems {
        server.store(system, &bytes(10));
    }
    let token = login.token("acme", MANAGE);
    std::thread::scope(|scope| {
        for (n, system) in systems.iter().enumerate() {
            let (server, token) = (if n % 2 == 0 { &server } else { &other }, &token);
            scope.spawn(move || destroy(server, system, token).status(202));
        }
    });
    assert_eventually("all are gone", TIMEOUT, || server.db.number("SELECT count(*) FROM systems") == 0);
    let erased = "SELECT concat_ws(' ', count(*), count(DISTINCT system_id), sum((detail ->> 'objects')::int), \
         sum((detail ->> 'bytes')::int)) FROM backup_events WHERE kind = 'erased'";
    assert_eq!(server.db.one(erased), "12 12 12 120");
    assert!(server.objects().is_empty());
    assert_eq!(server.totals("acme"), (0, 0));
}

#[test]
fn key_of_a_destroyed_system_can_be_used_for_a_new_one() {
    let (login, server, system, _) = fixture(2);
    destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202);
    let add = ["system", "add", "--org", &system.org, "--name", "new", "--key", &system.key, "--json"];
    // While the first has its row, its key is taken.
    assert_eventually("the key is free", TIMEOUT, || server.cli(add).code == 0);
    is_gone(&server, &system);
    assert_eq!(server.db.number("SELECT count(*) FROM systems"), 2);
}

#[test]
fn download_link_ends_with_its_system() {
    let (login, server, system, _) = fixture(1);
    let id = server.ids(&system).remove(0);
    let link = format!("/api/systems/{}/backups/{id}/download", system.id);
    let link = server.manage("GET", &link).bearer(login.token(&system.org, "backup:view")).send();
    let url = link.status(200).data()["download_url"].as_str().expect("an address").to_owned();
    destroy(&server, &system, &login.token(&system.org, MANAGE)).status(202);
    assert!(eventually(TIMEOUT, || [403, 404].contains(&server.at(&url).send().status)), "the link works");
}
