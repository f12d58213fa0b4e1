//! `strongroom sweep` does by hand what the service does by itself.

use std::time::Duration;

use crate::harness::{RawClient, Server, TIMEOUT, assert_eventually, bytes};

/// Starts a server whose death is noticed after a second or two, and that sweeps only at its start.
fn idle() -> Server {
    idle_with_lease(1)
}

fn idle_with_lease(seconds: u64) -> Server {
    Server::builder().set("BACKUP_LEASE", seconds).set("BACKUP_SWEEP_INTERVAL", 3600).start()
}

#[test]
fn sweep_beside_an_idle_server_changes_nothing() {
    // A running process may renew its lease late, by more than a lease.
    let server = idle_with_lease(10);
    let system = server.system();
    let id = server.store(&system, &bytes(10));
    let mut raw = RawClient::half_an_upload(&server, &system);
    // The sweep checks only uploads that are older than a lease.
    server.db.execute("UPDATE backups SET admitted_at = admitted_at - interval '1 hour'");
    let before = server.snapshot();
    let swept = server.cli(["sweep", "--json"]).exits(0).json();
    for (name, value) in swept.as_object().expect("an object") {
        assert!(value.as_u64() == Some(0) || value.as_array().is_some_and(Vec::is_empty), "{name}: {swept}");
    }
    assert_eq!(server.snapshot(), before);
    raw.send(bytes(1_000_000));
    let new = raw.answer().id();
    assert_eq!(server.ids(&system), [new, id]);
}

#[test]
fn sweep_aborts_uploads_of_dead_processes() {
    let server = idle();
    let system = server.system();
    let kept = server.store(&system, &bytes(10));
    let before = server.snapshot();
    let _wire = RawClient::half_an_upload(&server, &system);
    server.kill();
    assert_eq!(server.totals(&system.org), (10, 2_000_000));
    let mut aborted = 0;
    assert_eventually("the lease is over", TIMEOUT, || {
        let swept = server.cli(["sweep", "--json"]).exits(0).json();
        aborted += swept["uploads_taken_back"].as_u64().expect("a number");
        aborted > 0
    });
    assert_eq!(aborted, 1);
    assert_eq!(server.snapshot(), before, "the row, its bytes and its file are gone");
    assert_eq!(server.slots_used(&system), 1, "the slot is released");
    assert_eq!(server.db.all("SELECT retired_reason FROM backups WHERE state = 'retired'"), ["failed"]);
    server.cli(["sweep"]).exits(0).says("COUNT");
    assert!(server.object_key(&kept).starts_with(&system.org));
}

#[test]
fn sweep_purges_only_due_backups() {
    let server = idle();
    let system = server.system();
    let ids: Vec<_> = (0..4).map(|size| server.store(&system, &bytes(10 + size))).collect();
    server.kill();
    let keys: Vec<_> = ids.iter().map(|id| server.object_key(id)).collect();
    for (key, reason, due) in
        [(&keys[0], "slots", "-1"), (&keys[1], "failed", "-1"), (&keys[2], "system", "1")]
    {
        server.db.execute(&format!(
            "UPDATE backups SET state = 'retired', retired_reason = '{reason}', retired_at = now(),
                 purge_after = now() + interval '{due} hour' WHERE object_key = '{key}'"
        ));
    }
    server.db.execute("UPDATE org_usage SET stored_bytes = 13");
    let swept = server.cli(["sweep", "--json"]).exits(0).json();
    assert_eq!((&swept["backups_purged"], &swept["tombstones_dropped"]), (&1.into(), &1.into()), "{swept}");
    assert_eq!(server.objects().into_iter().collect::<Vec<_>>(), keys[2..]);
    assert_eq!(server.db.all("SELECT object_key FROM backups ORDER BY id"), keys[2..]);
}

#[test]
fn sweep_removes_leftovers_of_unfinished_writes() {
    needs_a_folder!();
    let server = idle();
    // The server sweeps at its start, and may not be done yet.
    server.kill();
    let left = server.store.path().join(".tmp/left-by-the-dead");
    std::fs::write(&left, b"half of it").expect("a file");
    let swept = server.cli(["sweep", "--json"]).exits(0).json();
    assert_eq!(swept["leftovers_removed"], 1, "{swept}");
    assert!(!left.exists());
}

#[test]
fn sweep_without_store_or_database_fails_with_the_reason() {
    let server = idle();
    server.store.make_unavailable();
    server.cli(["sweep"]).exits(3);
    server.cli(["sweep", "--orphans", "--older-than", "0s", "--force"]).exits(3);
    server.store.repair_store();
    server.cli(["sweep"]).exits(0);
    server.db.refuse_connections();
    server.cli(["sweep"]).exits(3);
    server.db.accept_connections();
}

#[test]
fn object_that_the_store_fails_to_delete_is_reported_and_swept_later() {
    needs_a_folder!();
    let server = idle();
    let system = server.system();
    let key = server.object_key(&server.store(&system, b"x"));
    server.kill();
    server.db.execute(
        "UPDATE backups SET state = 'retired', retired_reason = 'slots', retired_at = now(), purge_after = now();
         UPDATE org_usage SET stored_bytes = 0",
    );
    // A folder in place of the object can't be deleted as a file.
    server.store.remove(&key);
    let folder = server.store.path().join(&key);
    std::fs::create_dir_all(folder.join("x")).expect("make a folder");
    let swept = server.cli(["sweep", "--json"]).exits(3);
    assert_eq!(swept.json()["failed"], 1, "{swept:?}");
    std::fs::remove_dir_all(folder).expect("remove the folder");
    let gone = || {
        server.cli(["sweep"]).exits(0).stdout.contains("purged")
            && server.db.number("SELECT count(*) FROM backups") == 0
    };
    assert_eventually("the purge is tried again", TIMEOUT + Duration::from_secs(10), gone);
}
