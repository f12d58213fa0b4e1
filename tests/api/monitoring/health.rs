//! `GET /api/health` and `/api/health/live`, and the answers to clients during an outage of Postgres: 503, never
//! 401.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{
    Answer, BACKUPS, Database, Disconnect, RawClient, Server, System, TIMEOUT, assert_eventually, wait_for,
};

/// How soon the service must work after Postgres and the store have returned: two or three seconds, and time for
/// a busy machine.
const RECOVERED: Duration = Duration::from_secs(10);
/// A port that refuses connections.
const DEAD: &str = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1";

fn unknown_system() -> System {
    let secret = "of no account, nobody can be asked about it".to_owned();
    System { id: String::new(), key: "fw-1".to_owned(), secret, org: String::new() }
}

/// Sends every kind of request at the same time: each answer takes the seconds in which Postgres might return.
pub fn everything_is_unavailable(server: &Server, system: &System, id: &str) {
    std::thread::scope(|scope| {
        let answers = [
            scope.spawn(|| server.put(system, b"x")),
            scope.spawn(|| server.upload(system).chunked("x").send()),
            scope.spawn(|| server.get(BACKUPS).user(system).send()),
            scope.spawn(|| server.fetch(system, id).send()),
            scope.spawn(|| server.delete(system, id)),
        ];
        for answer in answers {
            answer.join().expect("an answer").is_unavailable();
        }
    });
}

#[test]
fn healthy_server_answers_200_without_credentials() {
    let server = Server::start();
    let answer = server.get("/api/health").send().status(200);
    assert!(answer.data().is_object(), "{answer}");
    server.get("/api/health/live").send().status(200).data();
    let with_nonsense = server.get("/api/health").header("authorization", "Basic !!!").send();
    assert_eq!(with_nonsense.status, 200, "health needs no credential");
}

#[test]
fn without_postgres_the_server_starts_and_answers_503() {
    let server = Server::builder().set("DATABASE_URL", DEAD).unready().start();
    server.skip_audit();
    let health = server.get("/api/health").send();
    assert_eq!(health.status, 503);
    assert!(health.data().to_string().contains("database"), "the answer names the outage: {health}");
    server.get("/api/health/live").send().status(200);
    let system = unknown_system();
    everything_is_unavailable(&server, &system, "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg");
    server.get(BACKUPS).send().is_invalid_token();
    assert!(server.stop_gracefully().success());
}

#[test]
fn server_started_without_postgres_recovers_when_postgres_starts() {
    let database = Arc::new(Database::empty());
    database.refuse_connections();
    let server = Server::builder().database(&database).unready().start();
    assert_eq!(server.get("/api/health").send().status, 503);
    database.accept_connections();
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    let system = server.system();
    server.store(&system, b"it has made its tables by itself");
}

#[test]
fn requests_without_postgres_are_503_with_retry_after_and_count_for_no_limit() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let before = server.snapshot();
    server.db.refuse_connections();
    assert_eventually("the outage is noticed", TIMEOUT, || server.get("/api/health").send().status == 503);
    server.get("/api/health/live").send().status(200);
    everything_is_unavailable(&server, &system, &id);
    // Without Postgres an unknown credential must not be refused either.
    let wrong = System { secret: "wrong".to_owned(), ..system.clone() };
    everything_is_unavailable(&server, &wrong, &id);
    server.db.accept_connections();
    assert_eventually("healthy", RECOVERED, || server.get("/api/health").send().status == 200);
    server.assert_refused(&before, &system, 1);
    server.store(&system, b"y");
    server.put(&wrong, b"x").is_invalid_token();
}

#[test]
fn upload_during_which_postgres_stops_is_not_half_stored() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    raw.send("01234");
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    server.db.refuse_connections();
    raw.send("56789");
    wait_for(Duration::from_secs(1));
    server.db.accept_connections();
    let answer = raw.answer();
    if answer.status == 201 {
        assert_eq!(server.ids(&system), [answer.id()]);
    } else {
        answer.is_unavailable();
        assert_eventually("the slot is released", TIMEOUT, || server.slots_used(&system) == 0);
        server.assert_nothing_left(&before);
    }
}

#[test]
fn client_is_answered_within_half_a_minute_whatever_postgres_does() {
    let server = Server::unlimited();
    let system = server.system();
    let open = || {
        let mut raw = RawClient::upload(&server, &system, &["Content-Length: 10"]);
        raw.send("01234");
        raw
    };
    let (gone, mut finished) = (open(), open());
    assert_eventually("both were admitted", TIMEOUT, || server.receiving() == 2);
    server.db.refuse_connections();
    gone.disconnect(Disconnect::Rst);
    let start = Instant::now();
    finished.send("56789");
    let late: Vec<Answer> = std::thread::scope(|scope| {
        let uploads = [scope.spawn(|| server.put(&system, b"x")), scope.spawn(|| finished.answer())];
        uploads.into_iter().map(|upload| upload.join().expect("an answer")).collect()
    });
    let took = start.elapsed();
    server.db.accept_connections();
    for answer in late {
        answer.is_unavailable();
    }
    assert!(took < Duration::from_secs(33), "answered after {took:?}");
    assert_eventually("healthy", RECOVERED, || server.get("/api/health").send().status == 200);
    server.store(&system, b"y");
}

#[test]
fn retry_after_of_503_varies_between_clients() {
    let server = Server::builder().set("DATABASE_URL", DEAD).unready().start();
    server.skip_audit();
    let seconds: std::collections::BTreeSet<u64> = std::thread::scope(|scope| {
        let ask = || server.get(BACKUPS).user(&unknown_system()).send().status(503).retry_after();
        let all: Vec<_> = (0..24).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|client| client.join().expect("an answer")).collect()
    });
    assert!(seconds.len() > 1, "24 clients got the same Retry-After: {seconds:?}");
}

#[test]
fn server_without_its_store_is_unhealthy() {
    let server = Server::start();
    for away in [crate::harness::Store::make_unavailable, crate::harness::Store::break_store] {
        away(&server.store);
        assert_eventually("unhealthy", TIMEOUT, || server.get("/api/health").send().status == 503);
        let answer = server.get("/api/health").send();
        assert!(answer.data().to_string().contains("store"), "the answer names the outage: {answer}");
        server.get("/api/health/live").send().status(200);
        server.store.repair_store();
        assert_eventually("healthy", RECOVERED, || server.get("/api/health").send().status == 200);
    }
}

#[test]
fn server_on_a_read_only_postgres_is_unhealthy() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let read_only = |on: &str| {
        let name = server.db.one("SELECT current_database()");
        server.db.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}"));
    };
    read_only("on");
    link.cut();
    assert_eventually("unhealthy", TIMEOUT, || {
        let answer = server.get("/api/health").send();
        answer.status == 503 && answer.data() == serde_json::json!({ "database": "down", "store": "up" })
    });
    // The service closes a read-only session by itself: no upload is sent until it is healthy.
    read_only("off");
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    server.store(&system, b"x");
}
