//! `GET /api/health` and `/api/health/live`, and what clients hear while Postgres is away: 503, never 401.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{BACKUPS, Database, PATIENCE, Server, System, assert_eventually};

/// How soon the service must be back once Postgres and the store are.
const RECOVERED: Duration = Duration::from_secs(3);
/// Nobody listens there.
const DEAD: &str = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1";

fn anybody() -> System {
    let secret = "of no account, nobody can be asked about it".to_owned();
    System { id: String::new(), key: "fw-1".to_owned(), secret, org: String::new() }
}

#[test]
fn a_healthy_server_says_so_to_everybody() {
    let server = Server::start();
    let answer = server.get("/api/health").send().status(200);
    assert!(answer.data().is_object(), "{answer}");
    server.get("/api/health/live").send().status(200).data();
    let with_nonsense = server.get("/api/health").header("authorization", "Basic !!!").send();
    assert_eq!(with_nonsense.status, 200, "health asks for no credential");
}

#[test]
fn without_postgres_the_server_starts_and_answers_503() {
    let server = Server::builder().set("DATABASE_URL", DEAD).unready().start();
    server.skip_audit();
    let health = server.get("/api/health").send();
    assert_eq!(health.status, 503);
    assert!(health.data().to_string().contains("database"), "it says what is down: {health}");
    server.get("/api/health/live").send().status(200);
    let system = anybody();
    server.put(&system, b"x").is_unavailable();
    server.get(BACKUPS).user(&system).send().is_unavailable();
    let one = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg";
    server.fetch(&system, one).send().is_unavailable();
    server.delete(&system, one).is_unavailable();
    server.get(BACKUPS).send().is_invalid_token();
    assert!(server.stop_gracefully().success());
}

#[test]
fn a_server_that_started_without_postgres_is_well_when_it_comes() {
    let database = Arc::new(Database::empty());
    database.go_dark();
    let server = Server::builder().database(&database).unready().start();
    assert_eq!(server.get("/api/health").send().status, 503);
    database.come_back();
    assert_eventually("healthy", RECOVERED + Duration::from_secs(1), || {
        server.get("/api/health").send().status == 200
    });
    let system = server.system();
    server.store(&system, b"it has made its tables by itself");
}

#[test]
fn while_postgres_is_away_clients_are_told_to_come_back_and_nothing_is_counted() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let before = server.snapshot();
    server.db.go_dark();
    assert_eventually("the outage is noticed", PATIENCE, || server.get("/api/health").send().status == 503);
    server.get("/api/health/live").send().status(200);
    server.put(&system, b"x").is_unavailable();
    server.upload(&system).chunked("x").send().is_unavailable();
    server.get(BACKUPS).user(&system).send().is_unavailable();
    server.delete(&system, &id).is_unavailable();
    let wrong = System { secret: "wrong".to_owned(), ..system.clone() };
    assert_eq!(server.put(&wrong, b"x").status, 503, "who cannot be known cannot be refused as unknown");
    server.db.come_back();
    assert_eventually("healthy", RECOVERED, || server.get("/api/health").send().status == 200);
    server.assert_refused(&before, &system, 1);
    server.store(&system, b"y");
    server.put(&wrong, b"x").is_invalid_token();
}

#[test]
fn an_upload_over_which_postgres_goes_away_is_not_half_stored() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let mut wire = crate::harness::Wire::upload(&server, &system, &["Content-Length: 10"]);
    wire.send("01234");
    assert_eventually("the upload was let in", PATIENCE, || server.receiving() == 1);
    server.db.go_dark();
    wire.send("56789");
    let end = std::time::Instant::now() + Duration::from_secs(1);
    assert_eventually("a second goes by", PATIENCE, || std::time::Instant::now() >= end);
    server.db.come_back();
    let answer = wire.answer();
    if answer.status == 201 {
        assert_eq!(server.ids(&system), [answer.id()]);
    } else {
        answer.is_unavailable();
        assert_eventually("the slot is given back", PATIENCE, || server.slots_used(&system) == 0);
        server.assert_nothing_left(&before);
    }
}

#[test]
fn without_its_store_the_server_is_not_healthy() {
    let server = Server::start();
    for away in [crate::harness::Store::take_away, crate::harness::Store::break_it] {
        away(&server.store);
        assert_eventually("unhealthy", PATIENCE, || server.get("/api/health").send().status == 503);
        let answer = server.get("/api/health").send();
        assert!(answer.data().to_string().contains("store"), "it says what is down: {answer}");
        server.get("/api/health/live").send().status(200);
        server.store.mend_it();
        assert_eventually("healthy", RECOVERED, || server.get("/api/health").send().status == 200);
    }
}
