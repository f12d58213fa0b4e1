//! `POST /api/systems/heartbeat`.

use crate::harness::{BACKUPS, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, chunk, head};

pub const HEARTBEAT: &str = "/api/systems/heartbeat";

fn last_seen(server: &Server, system: &System) -> String {
    let sql = "SELECT to_char(last_seen_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM systems WHERE id =";
    server.db.one(&format!("{sql} '{}'", system.id))
}

#[test]
fn heartbeat_is_acknowledged_and_recorded_at_once() {
    let server = Server::start();
    let system = server.system();
    assert_eq!(last_seen(&server, &system), "null");
    let answer = server.request("POST", HEARTBEAT).user(&system).send().status(200);
    assert_eq!(answer.message(), "heartbeat acknowledged");
    let data = answer.data();
    assert_eq!(data["system_key"], system.key.as_str());
    assert_eq!(data["acknowledged"], true);
    assert_eq!(data["last_heartbeat"], last_seen(&server, &system), "the same as in the row");
    assert!(server.db.holds("(SELECT last_seen_at > now() - interval '1 minute' FROM systems)"));
    assert_eq!(server.db.one("SELECT host(last_seen_from) FROM systems"), "127.0.0.1");
    assert_eq!(server.db.one("SELECT status FROM support_systems"), "never", "it is no backup");
}

#[test]
fn heartbeats_are_recorded_once_a_minute_over_all_processes() {
    let server = Server::start();
    let other = server.sibling();
    let system = server.system();
    let beat = |server: &Server| {
        let answer = server.request("POST", HEARTBEAT).user(&system).send().status(200);
        answer.data()["last_heartbeat"].as_str().expect("a time").to_owned()
    };
    let first = beat(&server);
    for _ in 0..20 {
        assert_eq!((beat(&server), beat(&other)), (first.clone(), first.clone()));
    }
    assert_eq!(last_seen(&server, &system), first);
    server.db.execute("UPDATE systems SET last_seen_at = last_seen_at - interval '61 seconds'");
    assert_eventually("it is recorded again", TIMEOUT, || beat(&other) > first);
    assert!(last_seen(&server, &system) > first);
}

#[test]
fn body_of_a_heartbeat_is_ignored() {
    let server = Server::start();
    let system = server.system();
    let heartbeat = || server.request("POST", HEARTBEAT).user(&system);
    heartbeat().header("Content-Type", "application/json").body("{\"uptime\": 3").send().status(200);
    heartbeat().header("Content-Type", "nonsense").body(bytes(10_000)).send().status(200);
    heartbeat().chunked(bytes(100_000)).send().status(200);
    let mut raw = RawClient::to(&server);
    let head_of_chunks = head("POST", HEARTBEAT, &system, &["Transfer-Encoding: chunked"]);
    raw.send([head_of_chunks.as_bytes(), &chunk(&bytes(1000)), &chunk(b"")].concat());
    raw.answer().status(200);
    raw.send(head("GET", BACKUPS, &system, &[]));
    raw.answer().status(200);
    for length in [1000, 1_000_000_000] {
        let mut raw = RawClient::to(&server);
        raw.send(head("POST", HEARTBEAT, &system, &[&format!("Content-Length: {length}")]));
        assert_eq!(raw.answer().status(200).header("connection"), Some("close"), "{length}");
    }
}

#[test]
fn heartbeat_needs_a_valid_credential() {
    let server = Server::start();
    let system = server.system();
    server.request("POST", HEARTBEAT).send().is_invalid_token();
    let wrong = System { secret: "wrong".to_owned(), ..system.clone() };
    server.request("POST", HEARTBEAT).user(&wrong).send().is_invalid_token();
    server.cli(["system", "suspend", &system.id]).exits(0);
    server.request("POST", HEARTBEAT).user(&system).send().is_invalid_token();
    assert_eq!(last_seen(&server, &system), "null");
}

#[test]
fn heartbeat_accepts_no_other_method_and_tells_of_backup_requests() {
    let server = Server::start();
    let system = server.system();
    for method in ["GET", "PUT", "DELETE"] {
        let answer = server.request(method, HEARTBEAT).user(&system).send().status(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let request = server.request_backup(&system);
    assert_eventually("the header has the request", TIMEOUT, || {
        let answer = server.request("POST", HEARTBEAT).user(&system).send().status(200);
        answer.header("x-backup-requested") == Some(request.as_str())
    });
}
