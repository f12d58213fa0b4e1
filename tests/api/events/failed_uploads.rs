//! Uploads that were admitted and not stored: why, how far they came, and which file it was.

use super::recorded;
use crate::harness::{
    BACKUPS, Disconnect, RawClient, Server, TIMEOUT, assert_eventually, bytes, head, on_s3,
};

#[test]
fn broken_off_upload_is_recorded_with_its_file_and_what_was_received() {
    let server = Server::unlimited();
    let system = server.system();
    for _ in 0..3 {
        let before = server.snapshot();
        let lines = ["Content-Length: 1000000", "X-Filename: daily.tar.gz"];
        let mut raw = RawClient::to(&server);
        raw.send(head("POST", BACKUPS, &system, &lines));
        raw.send(bytes(300_000));
        assert_eventually("the upload is under way", TIMEOUT, || server.receiving() == 1);
        // A body of this size is in memory until its end if it goes to an engine.
        if !on_s3() {
            assert_eventually("its bytes have arrived", TIMEOUT, || server.has_bytes_of_an_upload());
        }
        raw.disconnect(Disconnect::Fin);
        server.assert_nothing_left(&before);
    }
    let events = recorded(&server, "failed");
    assert_eq!(events.len(), 1, "one event a minute: {events:?}");
    for part in ["system 127.0.0.1", r#""reason": "interrupted""#, r#""filename": "daily.tar.gz""#] {
        assert!(events[0].contains(part), "{events:?}");
    }
    let received = server.db.number(
        "SELECT (detail ->> 'received')::bigint FROM backup_events WHERE kind = 'failed' AND system_id IS NOT NULL \
             AND backup_id IS NOT NULL",
    );
    assert!((i64::from(!on_s3())..=300_000).contains(&received), "{received}");
}

#[test]
fn empty_upload_is_recorded_and_a_refused_one_only_as_refused() {
    let server = Server::unlimited();
    let system = server.system();
    server.upload(&system).chunked("").send().status(400);
    let digest = crate::harness::digest_field(b"another body");
    server.upload(&system).header("content-digest", digest).body("x").send().status(400);
    server.store(&system, b"good");
    assert_eventually("both are recorded", TIMEOUT, || server.events("refused") == 1);
    let reasons = "SELECT concat_ws(' ', kind, detail ->> 'reason') FROM backup_events WHERE kind IN ('failed', 'refused')";
    let mut reasons = server.db.all(reasons);
    reasons.sort();
    assert_eq!(reasons, ["failed empty", "refused digest"]);
}

#[test]
fn upload_without_a_store_is_recorded() {
    let server = Server::unlimited();
    let system = server.system();
    server.store(&system, b"x");
    server.store.break_store();
    server.put(&system, &bytes(100_000)).is_unavailable();
    let events = recorded(&server, "failed");
    server.store.repair_store();
    assert!(events.len() == 1 && events[0].contains(r#""reason": "store""#), "{events:?}");
    assert!(events[0].starts_with("service 127.0.0.1"), "{events:?}");
}

#[test]
fn upload_of_a_killed_process_is_recorded_by_the_sweep() {
    let server = Server::builder().set("BACKUP_LEASE", 4).set("BACKUP_SWEEP_INTERVAL", 1).start();
    let other = server.sibling();
    let system = server.system();
    let _wire = RawClient::half_an_upload(&server, &system);
    server.kill();
    assert_eventually("the row is aborted", TIMEOUT, || other.receiving() == 0);
    let events = recorded(&other, "failed");
    assert!(events.len() == 1 && events[0].contains(r#""reason": "process_died""#), "{events:?}");
}

#[test]
fn upload_of_a_system_suspended_meanwhile_is_recorded() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::half_an_upload(&server, &system);
    server.cli(["system", "suspend", &system.key]).exits(0);
    raw.send(bytes(1_000_000));
    raw.answer().is_invalid_token();
    let events = recorded(&server, "failed");
    assert!(events.len() == 1 && events[0].contains(r#""reason": "revoked""#), "{events:?}");
    assert!(events[0].contains(r#""received": 2000000"#), "{events:?}");
}
