//! `POST /api/systems/backups/unchanged`: a sign of activity without a backup.

use crate::harness::{BACKUPS, RawClient, Server, System, bytes, head};

const UNCHANGED: &str = "/api/systems/backups/unchanged";

fn say(server: &Server, system: &System) {
    let answer = server.request("POST", UNCHANGED).user(system).send().status(200);
    assert_eq!(answer.data(), serde_json::json!({}));
}

#[test]
fn unchanged_report_keeps_a_system_with_a_backup_fresh() {
    let server = Server::start();
    let system = server.system();
    let freshness = || server.db.one("SELECT freshness FROM support_systems");
    say(&server, &system);
    assert_eq!(freshness(), "never", "there is nothing to restore");
    server.store(&system, b"x");
    server.db.execute(
        "UPDATE backups SET uploaded_at = now() - interval '30 days'; UPDATE systems SET unchanged_at = NULL",
    );
    assert_eq!(freshness(), "late");
    crate::harness::assert_eventually("the report is recorded", crate::harness::TIMEOUT, || {
        say(&server, &system);
        freshness() == "fresh"
    });
    assert!(server.db.holds("(SELECT last_unchanged_at > now() - interval '1 minute' FROM support_systems)"));
    server.db.execute("UPDATE systems SET unchanged_at = now() - interval '27 hours'");
    assert_eq!(freshness(), "late");
}

#[test]
fn unchanged_report_costs_no_slot_and_fulfils_no_request() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "1")]);
    let system = server.system();
    let request = server.request_backup(&system);
    server.store(&system, b"x");
    let next = server.request_backup(&system);
    assert_ne!(next, request);
    for _ in 0..10 {
        say(&server, &system);
    }
    assert_eq!(server.slots_used(&system), 1);
    assert_eq!(server.request_state(&next), "pending");
}

#[test]
fn unchanged_reports_are_recorded_once_a_minute() {
    let server = Server::start();
    let system = server.system();
    say(&server, &system);
    let version = || server.db.one(&format!("SELECT xmin FROM systems WHERE id = '{}'", system.id));
    let written = version();
    for _ in 0..50 {
        say(&server, &system);
    }
    assert_eq!(version(), written);
    server.db.execute("UPDATE systems SET unchanged_at = now() - interval '2 minutes'");
    crate::harness::assert_eventually("the report is recorded again", crate::harness::TIMEOUT, || {
        say(&server, &system);
        server.db.holds("(SELECT unchanged_at > now() - interval '1 minute' FROM systems)")
    });
}

#[test]
fn body_of_an_unchanged_report_is_ignored() {
    let server = Server::start();
    let system = server.system();
    server.request("POST", UNCHANGED).user(&system).body(bytes(10_000)).send().status(200);
    let mut raw = RawClient::to(&server);
    // Head and body are sent in one piece: a body that arrives after the answer costs the connection.
    let head_of_1000 = head("POST", UNCHANGED, &system, &["Content-Length: 1000"]);
    raw.send([head_of_1000.as_bytes(), &bytes(1000)].concat());
    raw.answer().status(200);
    raw.send(head("GET", BACKUPS, &system, &[]));
    raw.answer().status(200);
    for length in [1000, 1_000_000_000] {
        let mut raw = RawClient::to(&server);
        raw.send(head("POST", UNCHANGED, &system, &[&format!("Content-Length: {length}")]));
        assert_eq!(raw.answer().status(200).header("connection"), Some("close"), "{length}");
    }
}

#[test]
fn unchanged_report_needs_a_valid_credential() {
    let server = Server::start();
    let system = server.system();
    server.request("POST", UNCHANGED).send().is_invalid_token();
    server.cli(["system", "suspend", &system.id]).exits(0);
    server.request("POST", UNCHANGED).user(&system).send().is_invalid_token();
    assert_eq!(server.db.one("SELECT unchanged_at FROM systems"), "null");
}
