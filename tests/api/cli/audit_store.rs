//! `strongroom audit --store` compares rows and objects, also while both change.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::engine;
use crate::harness::{RawClient, Server, SetOnDrop, TIMEOUT, assert_eventually, bytes, on_s3};

/// A key that no backup has.
const STRANGER: &str = "lost-org/lost-system/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg";

/// Returns the only difference in the document, which must be of this kind.
#[track_caller]
fn only_difference(server: &Server, kind: &str) -> Value {
    let report = server.cli(["audit", "--store", "--json"]).exits(1).json();
    let found = report["differences"].as_array().expect("a list").clone();
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(found[0]["kind"], kind, "{report}");
    assert_eq!(report["complete"], true, "{report}");
    found[0].clone()
}

#[test]
fn audit_of_matching_rows_and_objects_is_clean() {
    let server = Server::start();
    let empty = server.cli(["audit", "--store", "--json"]).exits(0).json();
    let expected =
        |count: u64| json!({"differences": [], "complete": true, "backups": count, "objects": count});
    assert_eq!(empty, expected(0));
    let (system, other) = (server.system(), server.system());
    for who in [&system, &system, &other] {
        server.store(who, &bytes(10));
    }
    server.cli(["audit", "--store"]).exits(0).says("stored backups: 3, objects: 3");
    assert_eq!(server.cli(["audit", "--store", "--json"]).exits(0).json(), expected(3));
}

#[test]
fn audit_reports_a_stored_backup_without_an_object() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    server.store(&system, &bytes(10));
    let id = server.store(&system, &bytes(20));
    let key = server.object_key(&id);
    server.store.remove(&key);
    let missing = only_difference(&server, "missing");
    assert_eq!((&missing["org_id"], &missing["object_key"]), (&json!(system.org), &json!(key)));
    assert_eq!(missing["subject"], format!("backup {}", id.split('.').next().expect("a UUID")));
    server.cli(["audit", "--store"]).exits(1).says(&key);
    server.cli(["audit"]).exits(0);
    assert_eq!(server.ids(&system).len(), 2, "nothing is changed");
}

#[test]
fn audit_reports_an_object_of_another_size() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let id = server.store(&system, &bytes(20));
    let key = server.object_key(&id);
    for size in [19, 21] {
        server.store.write(&key, &bytes(size));
        let found = only_difference(&server, "size");
        assert_eq!(found["object_key"], key);
        assert!(found["problem"].as_str().is_some_and(|text| text.contains(&format!("has {size} bytes"))));
    }
    server.store.write(&key, &bytes(20));
    server.cli(["audit", "--store"]).exits(0);
}

#[test]
fn audit_reports_an_orphan_and_keeps_it() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    server.store(&system, &bytes(10));
    let beside = format!("{}/{}/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.bin", system.org, system.key);
    for (org, key) in [("lost-org", STRANGER), (&*system.org, &beside)] {
        server.store.write(key, b"of a database that was lost");
        let orphan = only_difference(&server, "orphan");
        assert_eq!((&orphan["org_id"], &orphan["object_key"]), (&json!(org), &json!(key)));
        server.cli(["audit", "--store"]).exits(1).says(key);
        assert!(server.objects().contains(key));
        server.store.remove(key);
    }
    server.cli(["audit", "--store"]).exits(0);
}

#[test]
fn audit_ignores_uploads_and_deletions_under_way() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    let wires: Vec<_> = ["Content-Length: 20000000", "Transfer-Encoding: chunked"]
        .into_iter()
        .map(|framing| {
            let mut raw = RawClient::upload(&server, &system, &[framing]);
            // More than one part of a bucket's upload.
            raw.send("a00000\r\n");
            raw.send(bytes(10_000_000));
            raw
        })
        .collect();
    assert_eventually("both were admitted", TIMEOUT, || server.receiving() == 2);
    // An object that was written, and whose commit is under way.
    let receiving = server.db.one("SELECT object_key FROM backups WHERE state = 'receiving' LIMIT 1");
    server.store.write(&receiving, b"all of it");
    for _ in 0..2 {
        let id = server.store(&system, &bytes(10));
        server.db.execute(&format!(
            "UPDATE backups SET state = 'retired', retired_reason = 'slots', retired_at = now(),
                 purge_after = now() + interval '1 hour' WHERE object_key = '{}';
             UPDATE org_usage SET stored_bytes = 0",
            server.object_key(&id)
        ));
    }
    server.store.remove(&server.db.one("SELECT object_key FROM backups WHERE state = 'retired' LIMIT 1"));
    let report = server.cli(["audit", "--store", "--json"]).exits(0).json();
    assert_eq!((&report["backups"], &report["objects"]), (&json!(0), &json!(2)), "{report}");
    drop(wires);
}

#[test]
fn audit_reports_unfinished_writes_and_keeps_them() {
    let server = Server::start();
    server.skip_comparison();
    // The server sweeps at its start, and may not be done yet.
    server.kill();
    if !on_s3() {
        std::fs::write(server.store.path().join(".tmp/left-by-the-dead"), b"half of it").expect("a file");
    } else if engine::is_real() {
        server.store.begin_upload(STRANGER);
    } else {
        println!("skipped: the uploads of an engine in this process can't be listed");
        return;
    }
    only_difference(&server, "leftover");
    server.cli(["audit", "--store"]).exits(1).says("unfinished write");
    assert_eq!(server.temporary().len(), 1);
}

#[test]
fn audit_without_store_or_database_reports_no_difference() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    for spoil in
        [|server: &Server| server.store.make_unavailable(), |server: &Server| server.store.break_store()]
    {
        spoil(&server);
        let report = server.cli(["audit", "--store", "--json"]).exits(3);
        assert_eq!(report.json()["complete"], false, "{report:?}");
        assert_eq!(report.json()["differences"], json!([]), "{report:?}");
        server.cli(["audit"]).exits(0);
        server.store.repair_store();
    }
    server.cli(["audit", "--store"]).exits(0);
    server.db.refuse_connections();
    server.cli(["audit", "--store"]).exits(3);
    server.db.accept_connections();
}

#[test]
fn audit_with_store_also_checks_the_totals() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    server.store(&system, &bytes(10));
    server.db.execute("UPDATE org_usage SET stored_bytes = 11");
    assert_eq!(only_difference(&server, "books")["subject"], "stored_bytes");
}

#[test]
fn audit_beside_uploads_and_deletions_is_clean() {
    let server =
        Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).set("BACKUP_LEASE", 2).start();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            let system = server.system();
            let (server, over) = (&server, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    server.store(&system, &bytes(5000));
                    let id = server.upload(&system).chunked(bytes(70_000)).send().id();
                    server.store(&system, &bytes(100_000));
                    server.delete(&system, &id).status(200);
                }
            });
        }
        let end = SetOnDrop(&over);
        let audits: Vec<_> = (0..25).map(|_| server.cli(["audit", "--store"])).collect();
        drop(end);
        for audit in audits {
            audit.exits(0);
        }
    });
}
