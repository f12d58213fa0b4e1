//! `POST /api/systems/backups/unchanged`: a sign of activity without a backup.

use crate::harness::{
    BACKUPS, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, digest_field, head,
};

const UNCHANGED: &str = "/api/systems/backups/unchanged";

fn say(server: &Server, system: &System) {
    let answer = server.request("POST", UNCHANGED).user(system).send().status(200);
    assert_eq!(answer.message(), "noted as unchanged");
    assert_eq!(answer.data(), serde_json::json!({}));
}

/// Checks that a report does not count.
#[track_caller]
fn is_not_noted(server: &Server, system: &System) {
    let before = server.db.one("SELECT unchanged_at FROM systems");
    let answer = server.request("POST", UNCHANGED).user(system).send().status(200);
    assert_eq!(answer.message(), "upload wanted");
    assert_eq!(answer.data(), serde_json::json!({ "upload_wanted": true }));
    assert_eq!(server.db.one("SELECT unchanged_at FROM systems"), before);
}

#[test]
fn unchanged_report_keeps_a_system_with_a_backup_fresh() {
    let server = Server::start();
    let system = server.system();
    let freshness = || server.db.one("SELECT freshness FROM support_systems");
    is_not_noted(&server, &system);
    assert_eq!(freshness(), "never", "there is nothing to restore");
    server.store(&system, b"x");
    server.db.execute("UPDATE backups SET uploaded_at = now() - interval '30 days'");
    server.db.execute("SELECT refresh_facts(id) FROM systems");
    assert_eq!(freshness(), "late");
    assert_eventually("the report is recorded", TIMEOUT, || {
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
    server.store(&system, b"x");
    say(&server, &system);
    let reported = || server.db.one("SELECT unchanged_at FROM systems");
    let written = reported();
    for _ in 0..50 {
        say(&server, &system);
    }
    assert_eq!(reported(), written);
    server.db.execute("UPDATE systems SET unchanged_at = now() - interval '2 minutes'");
    assert_eventually("the report is recorded again", TIMEOUT, || {
        say(&server, &system);
        server.db.holds("(SELECT unchanged_at > now() - interval '1 minute' FROM systems)")
    });
}

#[test]
fn report_after_a_refused_upload_does_not_count_until_one_is_stored() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "1")]);
    let other = server.sibling();
    let system = server.system();
    server.store(&system, b"x");
    say(&server, &system);
    server.put(&system, b"y").is_rate_limited();
    // At once: the refusal is not in the row yet, and the look-up of the credential, from before it, says "unchanged".
    is_not_noted(&server, &system);
    let is_refused = "(SELECT standing = 'refused' FROM systems)";
    assert_eventually("the refusal is in the row", TIMEOUT, || server.db.holds(is_refused));
    let status = || {
        let answer = other.request("POST", UNCHANGED).user(&system).send().status(200);
        answer.data()["upload_wanted"] == true
    };
    assert_eventually("the other process knows of it", TIMEOUT, status);
    is_not_noted(&server, &system);
    server.db.execute("UPDATE systems SET recent_admissions = '{}', window_epoch = window_epoch + 1");
    assert_eventually("an upload is stored", TIMEOUT, || server.put(&system, b"y").status == 201);
    say(&server, &system);
    say(&other, &system);
}

#[test]
fn report_after_an_upload_with_a_malformed_head_or_a_wrong_digest_does_not_count() {
    let server = Server::unlimited();
    for header in ["sha-256=:x:", &digest_field(b"another")] {
        let system = server.system();
        server.store(&system, b"x");
        server.upload(&system).header("Content-Digest", header).body("y").send().status(400);
        let answer = server.request("POST", UNCHANGED).user(&system).send().status(200);
        assert_eq!(answer.data()["upload_wanted"], true, "{header}");
    }
}

#[test]
fn report_of_a_system_whose_newest_backup_is_damaged_does_not_count() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    say(&server, &system);
    server.db.execute("UPDATE backups SET damage = 'damaged'");
    assert_eventually("the report does not count", TIMEOUT, || {
        let answer = server.request("POST", UNCHANGED).user(&system).send().status(200);
        answer.data()["upload_wanted"] == true
    });
    is_not_noted(&server, &system);
    server.delete(&system, &id).status(200);
    is_not_noted(&server, &system);
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

#[test]
fn report_after_the_newest_backup_was_deleted_does_not_count() {
    let server = Server::unlimited();
    let system = server.system();
    let older = server.store(&system, b"x");
    server.store(&system, b"y");
    say(&server, &system);
    let unchanged_at = || server.db.one("SELECT coalesce(unchanged_at::text, 'never') FROM systems");
    server.delete(&system, &older).status(200);
    assert_ne!(unchanged_at(), "never", "what is unchanged is still there");
    // One is left below the newest.
    let newest = server.store(&system, b"what the appliance runs on");
    say(&server, &system);
    server.delete(&system, &newest).status(200);
    assert_eq!(unchanged_at(), "never");
    let answer = server.request("POST", UNCHANGED).user(&system).send().status(200);
    assert_eq!(answer.data(), serde_json::json!({ "upload_wanted": true }));
    assert_eq!(unchanged_at(), "never");
    server.store(&system, b"what the appliance runs on");
    say(&server, &system);
    assert_ne!(unchanged_at(), "never");
    // By SQL as well, or by a process of a version before 0.2.0.
    server.db.execute("UPDATE backups SET state = 'retired', retired_reason = 'operator', retired_at = now(), purge_after = now(), \
         pledged_to = NULL WHERE seq = (SELECT last_seq FROM systems)");
    assert_eq!(unchanged_at(), "never");
    server.skip_audit();
}
