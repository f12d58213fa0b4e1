//! Every authenticated request of a system says that it is alive: `systems.last_seen_at`.

use std::time::{Duration, Instant};

use strongroom::db::seen_systems::{self, SeenSystem};

use crate::activity::heartbeat::HEARTBEAT;
use crate::harness::{Answer, BACKUPS, REQUESTS, Server, System, TIMEOUT, assert_eventually, bytes};

const SEEN: &str = "coalesce((SELECT last_seen_at > now() - interval '1 minute' FROM systems), false)";

/// Makes it two minutes ago that the systems were heard of.
fn forget(server: &Server) {
    server
        .db
        .execute("UPDATE systems SET last_seen_at = now() - interval '2 minutes', last_seen_from = NULL");
}

#[test]
fn every_authenticated_request_is_a_sign_of_activity() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "1"), ("BACKUP_MAX_UPLOAD_SIZE", "1000")]);
    let system = server.system();
    let id = server.store(&system, b"x");
    assert!(server.db.holds(SEEN), "the admission has recorded it");
    let of = |method: &'static str, path: String| server.request(method, &path).user(&system);
    let backup = format!("{BACKUPS}/{id}");
    let requests: [(&str, &dyn Fn() -> Answer, u16); 9] = [
        ("list", &|| of("GET", BACKUPS.to_owned()).send(), 200),
        ("download", &|| of("GET", backup.clone()).send(), 200),
        ("unknown backup", &|| of("GET", format!("{BACKUPS}/{}", id.replace('0', "1"))).send(), 404),
        ("backup requests", &|| of("GET", REQUESTS.to_owned()).send(), 200),
        ("unchanged", &|| of("POST", format!("{BACKUPS}/unchanged")).send(), 200),
        ("heartbeat", &|| of("POST", HEARTBEAT.to_owned()).send(), 200),
        ("upload over the rate limit", &|| server.upload(&system).body(bytes(10)).send(), 429),
        ("upload that is too large", &|| server.upload(&system).body(bytes(1001)).send(), 413),
        (
            "upload with a malformed head",
            &|| server.upload(&system).header("Content-Digest", "sha-256=:x:").body(bytes(10)).send(),
            400,
        ),
    ];
    for (what, request, status) in requests {
        forget(&server);
        // The service remembers for a moment that the system was heard of.
        assert_eventually(what, TIMEOUT, || {
            let answer = request();
            assert_eq!(answer.status, status, "{what}: {answer}");
            server.db.holds(SEEN)
        });
        assert_eq!(server.db.one("SELECT host(last_seen_from) FROM systems"), "127.0.0.1", "{what}");
    }
}

#[test]
fn refused_credential_is_no_sign_of_activity() {
    let server = Server::start();
    let (system, other) = (server.system(), server.system());
    let wrong = System { secret: "wrong".to_owned(), ..system.clone() };
    server.cli(["system", "suspend", &system.id]).exits(0);
    server.get(BACKUPS).user(&wrong).send().is_invalid_token();
    server.get(BACKUPS).user(&system).send().is_invalid_token();
    server.get(BACKUPS).user(&other).send().status(200);
    let seen = |system: &System| {
        server.db.holds(&format!("(SELECT last_seen_at IS NOT NULL FROM systems WHERE id = '{}')", system.id))
    };
    assert_eventually("the other system was heard of", TIMEOUT, || seen(&other));
    assert!(!seen(&system));
}

#[test]
fn locked_system_is_recorded_later_and_does_not_delay_the_others() {
    let server = Server::start();
    let systems = server.add_systems(&server.system().org, 3);
    let count = |condition: &str| {
        let ids: Vec<_> = systems.iter().map(|system| format!("'{}'", system.id)).collect();
        server
            .db
            .number(&format!("SELECT count(*) FROM systems WHERE {condition} AND id IN ({})", ids.join(", ")))
    };
    let mut session = server.db.session();
    let lock = format!("BEGIN; SELECT FROM systems WHERE id = '{}' FOR UPDATE", systems[0].id);
    diesel::connection::SimpleConnection::batch_execute(&mut session.conn, &lock).expect("locked");
    for system in &systems {
        server.get(BACKUPS).user(system).send().status(200);
    }
    assert_eventually("two are recorded", TIMEOUT, || count("last_seen_at IS NOT NULL") == 2);
    drop(session);
    assert_eventually("the third one as well", TIMEOUT, || count("last_seen_at IS NOT NULL") == 3);
}

#[test]
fn requests_within_a_minute_write_nothing() {
    let server = Server::start();
    let system = server.system();
    let get = || server.get(BACKUPS).user(&system).send().status(200);
    get();
    assert_eventually("it was heard of", TIMEOUT, || server.db.holds(SEEN));
    let version = || server.db.one("SELECT xmin || ' ' || last_seen_at FROM systems");
    let before = version();
    let another = server.system();
    for _ in 0..100 {
        get();
    }
    // What was recorded before this system's first request is written before it, too.
    assert_eventually("another one was heard of", TIMEOUT, || {
        server.get(BACKUPS).user(&another).send().status(200);
        server
            .db
            .holds(&format!("(SELECT last_seen_at IS NOT NULL FROM systems WHERE id = '{}')", another.id))
    });
    let version = format!("SELECT xmin || ' ' || last_seen_at FROM systems WHERE id = '{}'", system.id);
    assert_eq!(server.db.one(&version), before);
}

#[test]
fn last_signs_of_activity_are_recorded_when_the_service_stops() {
    let server = Server::start();
    let system = server.system();
    server.get(BACKUPS).user(&system).send().status(200);
    assert!(server.stop_gracefully().success());
    assert!(server.db.holds(SEEN));
}

#[test]
fn sign_of_activity_that_is_written_late_does_not_replace_a_later_one() {
    let server = Server::start();
    let system = server.system();
    let row = || server.db.one("SELECT concat(last_seen_at, last_seen_from) FROM systems");
    let write = |minutes: u64| {
        let at = Instant::now()
            .checked_sub(Duration::from_secs(60 * minutes))
            .expect("the machine runs for some minutes");
        let system_id = system.id.parse().expect("an id");
        let call = SeenSystem { system_id, at, addr: Some([192, 0, 2, 9].into()) };
        let mut session = server.db.session();
        assert!(seen_systems::write(&mut session.conn, &[call]).expect("a query").is_empty());
    };
    server.db.execute(
        "UPDATE systems SET last_seen_at = now() - interval '2 minutes', last_seen_from = '192.0.2.1'",
    );
    let before = row();
    write(3);
    assert_eq!(row(), before);
    write(0);
    assert_eq!(server.db.one("SELECT host(last_seen_from) FROM systems"), "192.0.2.9");
}
