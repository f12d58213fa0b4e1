//! A backup request from its creation to its end: joined, seen, fulfilled, expired, cancelled.

use std::collections::BTreeSet;

use crate::harness::{REQUESTS, RawClient, Server, System, TIMEOUT, assert_eventually};

/// Returns the part of a backup's id that the table contains.
fn uuid(id: &str) -> &str {
    id.split('.').next().unwrap_or_default()
}

/// Begins an upload that is admitted and lacks only its last byte.
fn open_upload(server: &Server, system: &System) -> RawClient {
    let before = server.receiving();
    let raw = RawClient::upload(server, system, &["Content-Length: 1"]);
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == before + 1);
    raw
}

#[test]
fn backup_request_is_shown_and_fulfilled_by_the_next_backup() {
    let server = Server::start();
    let system = server.system();
    assert!(server.requested(&system).is_empty());
    let request = server.request_backup(&system);
    assert_eq!(server.request_state(&request), "pending");
    let answer = server.get(REQUESTS).user(&system).send().status(200);
    let shown = answer.data()["requests"][0].clone();
    assert_eq!(shown["id"], request.as_str());
    let names: BTreeSet<&String> = shown.as_object().expect("an object").keys().collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["expires_at", "id", "requested_at"]);
    for name in ["requested_at", "expires_at"] {
        assert!(shown[name].as_str().is_some_and(|at| at.ends_with('Z')), "{shown}");
    }
    assert!(server.db.holds(&format!(
        "(SELECT expires_at - requested_at = interval '24 hours' OR abs(extract(epoch FROM expires_at - requested_at) - 86400) < 5
          FROM backup_requests WHERE id = '{request}')"
    )));
    assert_eq!(server.request_state(&request), "seen");
    assert_eq!(server.requested(&system), [request.as_str()], "until it is fulfilled");
    let backup = server.store(&system, b"x");
    assert_eq!(server.request_state(&request), "fulfilled");
    assert_eq!(server.fulfilled_by(&request), uuid(&backup));
    assert!(server.requested(&system).is_empty());
    server.store(&system, b"y");
    assert_eq!(server.fulfilled_by(&request), uuid(&backup), "the first one counts");
    assert_eq!(server.events("requested"), 1);
    assert!(server.db.holds(
        "(SELECT actor = 'operator' AND system_id IS NOT NULL FROM backup_events WHERE kind = 'requested')"
    ));
}

#[test]
fn backup_fulfils_requests_of_its_own_system_only() {
    let server = Server::start();
    let one = server.system();
    let sibling = server.add_system(&one.org, "of the same organization");
    let (mine, other) = (server.request_backup(&one), server.request_backup(&sibling));
    assert_eq!(server.requested(&one), [mine.as_str()]);
    server.store(&sibling, b"x");
    assert_eq!(server.request_state(&other), "fulfilled");
    assert_eq!(server.request_state(&mine), "seen");
}

#[test]
fn repeated_request_joins_the_pending_one_also_concurrently_at_two_processes() {
    let server = Server::start();
    let other = server.sibling();
    let system = server.system();
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let ask = |n: usize| {
            let server = if n.is_multiple_of(2) { &server } else { &other };
            let system = &system;
            scope.spawn(move || server.request_backup(system))
        };
        let all: Vec<_> = (0..12).map(ask).collect();
        all.into_iter().map(|one| one.join().expect("a request")).collect()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
    let request = server.requested(&system).remove(0);
    assert_eq!(server.request_backup(&system), request, "also after it was seen");
    assert_eq!(server.request_state(&request), "seen");
    assert_eq!(server.db.number("SELECT count(*) FROM backup_requests"), 1);
    assert_eq!(server.events("requested"), 1, "a repeated request of one person is recorded once");
    server.store(&system, b"x");
    assert_ne!(server.request_backup(&system), request, "a fulfilled request has ended");
}

#[test]
fn repeated_request_extends_the_expiry() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    server.db.execute("UPDATE backup_requests SET expires_at = now() + interval '1 minute'");
    assert_eq!(server.request_backup(&system), request);
    assert!(server.db.holds("(SELECT expires_at > now() + interval '23 hours' FROM backup_requests)"));
}

#[test]
fn upload_under_way_does_not_fulfil_a_later_request() {
    let server = Server::start();
    let system = server.system();
    let mut upload = open_upload(&server, &system);
    let request = server.request_backup(&system);
    upload.send("x");
    let early = upload.answer().id();
    assert_eq!(server.fulfilled_by(&request), "null");
    assert_eq!(server.requested(&system), [request.as_str()]);
    let backup = server.store(&system, b"y");
    assert_ne!(backup, early);
    assert_eq!(server.fulfilled_by(&request), uuid(&backup));
}

#[test]
fn repeated_request_during_an_upload_for_the_first_is_a_new_request() {
    let server = Server::start();
    let system = server.system();
    let first = server.request_backup(&system);
    let mut upload = open_upload(&server, &system);
    let second = server.request_backup(&system);
    assert_ne!(second, first, "the upload began before it");
    assert_eq!(
        server.request_backup(&system),
        second,
        "this request is joined: no upload under way fulfils it"
    );
    assert_eq!(server.requested(&system), [first.as_str(), second.as_str()], "oldest first");
    upload.send("x");
    let backup = upload.answer().id();
    assert_eq!(server.fulfilled_by(&first), uuid(&backup));
    assert_eq!(server.request_state(&second), "seen");
    let later = server.store(&system, b"y");
    assert_eq!(server.fulfilled_by(&second), uuid(&later));
    assert_eq!(server.fulfilled_by(&first), uuid(&backup));
}

#[test]
fn one_backup_fulfils_all_earlier_requests() {
    let server = Server::start();
    let system = server.system();
    let first = server.request_backup(&system);
    let upload = open_upload(&server, &system);
    let second = server.request_backup(&system);
    upload.disconnect(crate::harness::Disconnect::Rst);
    assert_eventually("the upload was aborted", TIMEOUT, || server.receiving() == 0);
    let backup = server.store(&system, b"y");
    for request in [first, second] {
        assert_eq!(server.fulfilled_by(&request), uuid(&backup));
    }
}

#[test]
fn clock_set_back_does_not_reorder_requests_and_uploads() {
    let server = Server::start();
    let system = server.system();
    // As if the clock had been an hour ahead when the upload was admitted.
    let mut upload = open_upload(&server, &system);
    server.db.execute(
        "UPDATE backups SET admitted_at = admitted_at + interval '1 hour' WHERE state = 'receiving'",
    );
    let request = server.request_backup(&system);
    upload.send("x");
    upload.answer().id();
    assert_eq!(server.fulfilled_by(&request), "null", "the upload was admitted before the request");
    // As if the clock were an hour behind the request now.
    let backup = server.store(&system, b"y");
    assert_eq!(server.fulfilled_by(&request), uuid(&backup), "the upload was admitted after the request");
}

#[test]
fn failed_upload_fulfils_no_request() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    let digest = crate::harness::digest_field(b"another");
    server
        .upload(&system)
        .header("content-digest", digest)
        .body("x")
        .send()
        .is_validation_error("content-digest");
    assert_eq!(server.requested(&system), [request.as_str()]);
}

#[test]
fn expired_request_ends_at_once_and_is_recorded_by_the_sweep() {
    let server = Server::with([("BACKUP_SWEEP_INTERVAL", "3600")]);
    let system = server.system();
    let request = server.request_backup(&system);
    server.db.execute(
        "UPDATE backup_requests SET requested_at = now() - interval '25 hours', expires_at = now() - interval '1 hour'",
    );
    assert!(server.requested(&system).is_empty());
    let listed = server.cli(["request", &system.id, "--list", "--json"]).exits(0).json();
    assert_eq!(listed[0]["state"], "expired");
    server.cli(["request", &system.id, "--cancel", &request]).exits(1);
    assert!(server.db.holds("(SELECT NOT pending_request FROM support_systems)"));
    server.store(&system, b"x");
    assert_eq!(server.fulfilled_by(&request), "null");
    let next = server.request_backup(&system);
    assert_ne!(next, request);
    let swept = server.cli(["sweep", "--json"]).exits(0).json();
    assert_eq!(swept["requests_expired"], 1);
    assert_eq!(server.request_state(&request), "expired");
    assert_eq!(server.request_state(&next), "pending");
    assert_eq!(server.events("request_expired"), 1);
}

#[test]
fn sweep_of_the_service_expires_requests() {
    let server = Server::with([("BACKUP_SWEEP_INTERVAL", "1")]);
    let system = server.system();
    let request = server.request_backup(&system);
    server.db.execute("UPDATE backup_requests SET expires_at = now() - interval '1 hour'");
    assert_eventually("expired", TIMEOUT, || server.request_state(&request) == "expired");
}

#[test]
fn cancelled_request_cannot_be_cancelled_again() {
    let server = Server::start();
    let system = server.system();
    let stranger = server.system();
    let request = server.request_backup(&system);
    server.cli(["request", &stranger.id, "--cancel", &request]).exits(1);
    server.cli(["request", &system.id, "--cancel", &request]).exits(0).says("cancelled");
    assert!(server.requested(&system).is_empty());
    server.cli(["request", &system.id, "--cancel", &request]).exits(1);
    server.store(&system, b"x");
    assert_eq!(server.request_state(&request), "cancelled");
    assert_eq!(server.events("request_cancelled"), 1);
    let fulfilled = server.request_backup(&system);
    server.store(&system, b"y");
    server.cli(["request", &system.id, "--cancel", &fulfilled]).exits(1);
    assert_eq!(server.request_state(&fulfilled), "fulfilled");
}

#[test]
fn request_to_a_suspended_or_unknown_system_is_refused() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    server.cli(["system", "suspend", &system.id]).exits(0);
    server.cli(["request", &system.id]).exits(1);
    server.cli(["request", "nobody"]).exits(1);
    server.get(REQUESTS).user(&system).send().is_invalid_token();
    server.cli(["system", "destroy", &system.id, "--yes"]).exits(0);
    let left = format!("SELECT count(*) FROM backup_requests WHERE id = '{request}'");
    assert_eq!(server.db.number(&left), 0, "they go with the system");
}
