//! `X-Backup-Requested` on all other answers, and its cost.

use crate::harness::{
    Answer, BACKUPS, PROMPT_TIMEOUT, RawClient, Server, System, TIMEOUT, assert_eventually, eventually,
};

const HEADER: &str = "x-backup-requested";
const UNKNOWN: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.bin";

/// Checks every answer that a system can get except 201: its header must become `requested`. The header is a
/// hint, which is omitted when the database is slow.
#[track_caller]
fn every_answer_has(server: &Server, system: &System, id: &str, requested: Option<&str>) {
    let asks: [&dyn Fn() -> Answer; 9] = [
        &|| server.get(BACKUPS).user(system).send().status(200),
        &|| server.request("HEAD", BACKUPS).user(system).send().status(200),
        &|| server.fetch(system, id).send().status(200),
        &|| server.fetch(system, id).header("range", "bytes=0-0").send().status(206),
        &|| server.fetch(system, UNKNOWN).send().status(404),
        &|| server.fetch(system, "x").send().status(400),
        &|| server.delete(system, UNKNOWN).status(404),
        &|| server.put(system, b"").status(400),
        &|| server.request("POST", &format!("{BACKUPS}/unchanged")).user(system).send().status(200),
    ];
    for ask in asks {
        let mut answer = ask();
        eventually(TIMEOUT, || {
            if answer.header(HEADER).is_none() && requested.is_some() {
                answer = ask();
            }
            answer.header(HEADER).is_some() == requested.is_some()
        });
        assert_eq!(answer.header(HEADER), requested, "{answer}");
    }
}

#[test]
fn every_answer_announces_a_backup_request_until_it_is_fulfilled() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    every_answer_has(&server, &system, &id, None);
    let request = server.request_backup(&system);
    let seen = || server.get(BACKUPS).user(&system).send().header(HEADER).map(str::to_owned);
    assert_eventually("a second has passed", PROMPT_TIMEOUT, || seen().is_some());
    every_answer_has(&server, &system, &id, Some(&request));
    assert_eq!(server.request_state(&request), "pending", "a header does not mark requests as seen");
    let stored = server.put(&system, b"y").status(201);
    assert_eq!(stored.header(HEADER), None, "this backup fulfilled the request");
    every_answer_has(&server, &system, &id, None);
}

#[test]
fn unauthenticated_answer_announces_no_backup_request() {
    let server = Server::start();
    let system = server.system();
    server.request_backup(&system);
    let wrong = System { secret: "wrong".repeat(10), ..system.clone() };
    let answer = server.get(BACKUPS).user(&wrong).send();
    answer.is_invalid_token();
    assert_eq!(answer.header(HEADER), None);
    let stranger = server.system();
    assert_eq!(server.get(BACKUPS).user(&stranger).send().header(HEADER), None);
}

#[test]
fn answer_201_announces_a_backup_request_made_during_the_upload() {
    let server = Server::start();
    let system = server.system();
    let is_told = || {
        let mut upload = RawClient::upload(&server, &system, &["Content-Length: 1"]);
        assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
        let request = server.request_backup(&system);
        // Waits until the service has read the requests again.
        assert_eventually("known", TIMEOUT, || {
            server.get(BACKUPS).user(&system).send().header(HEADER).is_some()
        });
        upload.send("x");
        let stored = upload.answer().status(201);
        let told = stored.header(HEADER);
        assert!(told.is_none_or(|told| told == request), "this backup does not fulfil the request: {stored}");
        told.is_some()
    };
    // When the database is slow, the hint is omitted.
    assert!((0..5).any(|_| is_told()), "the header does not announce it");
}

#[test]
fn other_processes_stop_announcing_a_fulfilled_or_cancelled_request() {
    let server = Server::start();
    let other = server.sibling();
    let system = server.system();
    let told = || other.get(BACKUPS).user(&system).send().header(HEADER).is_some();
    server.request_backup(&system);
    assert_eventually("told", TIMEOUT, told);
    server.store(&system, b"x");
    assert_eventually("fulfilled", PROMPT_TIMEOUT, || !told());
    let request = server.request_backup(&system);
    assert_eventually("told", TIMEOUT, told);
    server.cli(["request", &system.id, "--cancel", &request]).exits(0);
    assert_eventually("cancelled", PROMPT_TIMEOUT, || !told());
}

#[test]
fn pending_request_adds_no_query_to_a_flood_of_refusals() {
    // A limit for the hour: the flood may take a minute.
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "0"), ("BACKUP_RATE_LIMIT_PER_HOUR", "1")]);
    let system = server.system();
    server.store(&system, b"x");
    server.request_backup(&system);
    server.put(&system, b"x").is_rate_limited();
    let looks = || {
        server.db.number(
            "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname = 'systems_system_key_key'",
        )
    };
    let settled = |mut last: i64| {
        assert_eventually("the counters do not change any more", TIMEOUT, || {
            std::mem::replace(&mut last, looks()) == last
        });
        last
    };
    let before = settled(-1);
    let start = std::time::Instant::now();
    for _ in 0..300 {
        server.put(&system, b"x").is_rate_limited();
    }
    let seconds = i64::try_from(start.elapsed().as_secs()).expect("a short time");
    // Postgres publishes its counters late: they include a few look-ups before the flood.
    let after = settled(-1);
    assert!(after - before <= 10 + 2 * seconds, "{} look-ups in {seconds} s", after - before);
}
