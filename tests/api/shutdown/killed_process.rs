//! Processes that are killed or paused: the next process, or another one, cleans up, and does so only with
//! proof.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{Database, RawClient, Server, TIMEOUT, assert_eventually, bytes, wait_for};

/// Seconds. A running process that does not renew its lease for nearly two of them is taken for dead.
const LEASE: u64 = 4;

/// Starts a server whose death is noticed after two leases.
fn short_lease() -> Server {
    Server::builder().set("BACKUP_LEASE", LEASE).set("BACKUP_SWEEP_INTERVAL", 1).start()
}

#[test]
fn upload_of_a_killed_process_is_aborted_by_the_next() {
    let server = short_lease();
    let system = server.system();
    let kept = server.store(&system, &bytes(10));
    let before = server.snapshot();
    let _wire = RawClient::half_an_upload(&server, &system);
    server.kill();
    assert_eq!(server.totals(&system.org), (10, 2_000_000));
    let next = server.sibling();
    assert_eventually("the row is aborted", TIMEOUT, || next.receiving() == 0);
    next.assert_nothing_left(&before);
    assert_eventually("the slot is released", TIMEOUT, || next.slots_used(&system) == 1);
    assert_eq!(next.ids(&system), [kept]);
}

#[test]
fn upload_of_a_killed_process_is_aborted_by_another() {
    let server = short_lease();
    let other = server.sibling();
    let system = server.system();
    let before = server.snapshot();
    let _wire = RawClient::half_an_upload(&server, &system);
    server.kill();
    assert_eventually("the row is aborted", TIMEOUT, || other.receiving() == 0);
    assert_eq!(other.totals(&system.org), (0, 0));
    assert_eventually("the file is removed", TIMEOUT, || other.temporary().is_empty());
    other.assert_nothing_left(&before);
}

#[test]
fn long_upload_of_a_living_process_is_not_aborted() {
    let server = short_lease();
    let other = server.sibling();
    let system = server.system();
    let mut raw = RawClient::half_an_upload(&server, &system);
    wait_for(Duration::from_secs(2 * LEASE + 3));
    assert_eq!(other.receiving(), 1);
    raw.send(bytes(1_000_000));
    let id = raw.answer().id();
    assert_eq!(other.ids(&system), [id]);
}

#[test]
fn process_paused_beyond_its_lease_stores_nothing_afterwards() {
    let server = short_lease();
    let other = server.sibling();
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::half_an_upload(&server, &system);
    server.signal(libc::SIGSTOP);
    assert_eventually("the other process aborts the upload", TIMEOUT, || other.receiving() == 0);
    server.signal(libc::SIGCONT);
    let _ = raw.try_send(bytes(1_000_000));
    assert_eq!(raw.answer().status, 503, "the row is gone, so a 201 could not be kept");
    assert_eventually("nothing is left", TIMEOUT, || other.objects().is_empty());
    other.assert_nothing_left(&before);
    assert_eventually("both processes work", TIMEOUT, || server.put(&system, b"x").status == 201);
    other.store(&system, b"y");
}

#[test]
fn service_never_deletes_orphans() {
    let server = short_lease();
    let system = server.system();
    server.store(&system, b"x");
    let foreign = format!("{}/{}/{}.bin", system.org, system.key, uuid::Uuid::now_v7());
    server.store.write(&foreign, b"of a database that was lost");
    let objects = server.objects();
    server.kill();
    let empty = Arc::new(Database::new());
    let confused = Server::builder()
        .set("BACKUP_LEASE", 1)
        .set("BACKUP_SWEEP_INTERVAL", 1)
        .database(&empty)
        .store(&server.store)
        .start();
    let next = server.sibling();
    wait_for(Duration::from_secs(4));
    assert_eq!(confused.objects(), objects);
    assert_eq!(next.objects(), objects);
    assert!(next.objects().contains(&foreign));
    for server in [server, confused, next] {
        server.skip_comparison();
    }
}

#[test]
fn interrupted_deletion_is_finished_by_the_next_process() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.kill();
    server.db.execute(&format!(
        "UPDATE backups SET state = 'retired', retired_reason = 'system', retired_at = now(), purge_after = now(),
             purge_started_at = now() - interval '5 minutes' WHERE id = '{}';
         UPDATE org_usage SET stored_bytes = 0",
        id.strip_suffix(".bin").expect("no name, no extension")
    ));
    let next = server.sibling();
    assert_eventually("the object is gone", TIMEOUT, || next.objects().is_empty());
    assert_eventually("its row is gone", TIMEOUT, || next.db.number("SELECT count(*) FROM backups") == 0);
}
