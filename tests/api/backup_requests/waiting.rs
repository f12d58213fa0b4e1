//! Waiting for a request: any process can end the wait, waits hold no database connection, and a wait ends at
//! once when the system may not wait any more.

use std::time::{Duration, Instant};

use crate::harness::{
    REQUESTS, RawClient, Server, System, TIMEOUT, assert_eventually, eventually, head, request_ids, sample,
};

/// Counts the connections that listen for requests.
const LISTENS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^LISTEN'";

/// The sessions that a process opens at most (`docs/operations.md`). The tests have one more.
const SESSIONS_OF_A_PROCESS: i64 = 28;

fn connections(server: &Server) -> i64 {
    server.db.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
}

/// Begins a wait. Returns when the service has looked for requests since then, and found none.
fn begin_wait(server: &Server, system: &System, seconds: u64) -> RawClient {
    // The session may have another last query by the time of the look: then another wait begins.
    let looked_for = |_| wait_that_was_looked_for(server, system, seconds);
    (0..10).find_map(looked_for).expect("the service looks for requests")
}

fn wait_that_was_looked_for(server: &Server, system: &System, seconds: u64) -> Option<RawClient> {
    let moment = server.db.one("SELECT clock_timestamp()::text");
    let raw = server.waiting(system, seconds);
    let looked = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' \
         AND pid <> pg_backend_pid() AND query ~ 'FROM backup_requests WHERE system_id = .1 ' \
         AND query_start > '{moment}'"
    );
    let has_looked = eventually(TIMEOUT / 4, || server.db.number(&looked) > 0);
    assert!(!raw.has_something_to_read(), "it waits");
    has_looked.then_some(raw)
}

#[test]
fn wait_ends_when_any_process_receives_a_request() {
    let server = Server::start();
    let other = server.sibling();
    let system = server.system();
    for asked in [&server, &other] {
        let within_two_seconds = || {
            let mut raw = begin_wait(&server, &system, 60);
            let start = Instant::now();
            let request = asked.request_backup(&system);
            assert_eq!(request_ids(&raw.answer()), [request.as_str()]);
            let took = start.elapsed();
            assert_eq!(server.request_state(&request), "seen");
            other.store(&system, b"x");
            took < Duration::from_secs(2)
        };
        // A busy machine may be late now and then.
        assert!((0..3).any(|_| within_two_seconds()), "the request was only found by polling");
    }
}

#[test]
fn request_without_a_notification_is_found_by_polling() {
    let server = Server::start();
    let system = server.system();
    let mut raw = begin_wait(&server, &system, 60);
    server.db.execute(&format!(
        "INSERT INTO backup_requests (id, system_id, org_id, requested_by, expires_at)
         VALUES (gen_random_uuid(), '{}', '{}', 'a portal', now() + interval '1 hour')",
        system.id, system.org
    ));
    assert_eq!(request_ids(&raw.answer()).len(), 1);
}

#[test]
fn wait_without_a_request_ends_empty_at_its_timeout() {
    let server = Server::start();
    let system = server.system();
    let start = Instant::now();
    let mut raw = server.waiting(&system, 1);
    assert!(request_ids(&raw.answer()).is_empty());
    assert!(start.elapsed() >= Duration::from_secs(1));
    // The connection can be used again.
    let request = server.request_backup(&system);
    raw.send(head("GET", &format!("{REQUESTS}?wait=60"), &system, &[]));
    assert_eq!(request_ids(&raw.answer()), [request.as_str()], "at once");
}

#[test]
fn request_for_another_system_ends_no_wait() {
    let server = Server::start();
    let system = server.system();
    let sibling = server.add_system(&system.org, "of the same organization");
    let mut raw = server.waiting(&system, 3);
    server.request_backup(&sibling);
    assert!(request_ids(&raw.answer()).is_empty());
}

#[test]
fn wait_parameter_is_a_whole_number_of_seconds_up_to_60() {
    let server = Server::start();
    let system = server.system();
    server.request_backup(&system);
    // There is a request, so the first wait, which is the longest, ends at once.
    for right in ["?wait=60", "", "?", "?wait=0", "?wait=1&other=x", "?other"] {
        assert_eq!(
            request_ids(&server.get(&format!("{REQUESTS}{right}")).user(&system).send()).len(),
            1,
            "{right}"
        );
    }
    for wrong in ["61", "-1", "%2B1", "", "1.5", "a", "1&wait=1", "%20", "99999999999999999999"] {
        server.get(&format!("{REQUESTS}?wait={wrong}")).user(&system).send().is_validation_error("wait");
    }
    server.get(&format!("{REQUESTS}?wait=61")).send().is_invalid_token();
}

#[test]
fn head_request_does_not_mark_requests_as_seen() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    let mut raw = RawClient::to(&server);
    raw.send(head("HEAD", &format!("{REQUESTS}?wait=60"), &system, &[]));
    assert_eq!(raw.try_status().expect("a status"), 200);
    assert_eq!(server.request_state(&request), "pending");
}

#[test]
fn wait_with_a_revoked_credential_returns_no_request() {
    let server = Server::start();
    let system = server.system();
    let mut raw = begin_wait(&server, &system, 60);
    server.cli(["system", "rotate-secret", &system.id]).exits(0);
    let request = server.request_backup(&system);
    raw.answer().is_invalid_token();
    assert_eq!(server.request_state(&request), "pending", "no process has seen it");
    let suspended = server.system();
    let mut raw = begin_wait(&server, &suspended, 10);
    server.cli(["system", "suspend", &suspended.id]).exits(0);
    raw.answer().is_invalid_token();
}

#[test]
fn shutdown_ends_every_wait_at_once() {
    let server = Server::start();
    let system = server.system();
    let mut wires: Vec<RawClient> = (0..3).map(|_| begin_wait(&server, &system, 60)).collect();
    let start = Instant::now();
    server.signal(libc::SIGTERM);
    for raw in &mut wires {
        assert!(request_ids(&raw.answer()).is_empty());
    }
    assert_eq!(server.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(50), "a wait of a minute delays nothing");
}

#[test]
fn listener_reconnects_to_the_database() {
    let server = Server::start();
    let system = server.system();
    assert_eventually("the service listens for requests", TIMEOUT, || server.db.number(LISTENS) > 0);
    for _ in 0..2 {
        let mut raw = begin_wait(&server, &system, 60);
        server.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        // The request is created on another connection, before the listener is connected again.
        let request = server.request_backup(&system);
        assert_eq!(request_ids(&raw.answer()), [request.as_str()]);
        assert_eventually("stored", TIMEOUT, || server.put(&system, b"x").status == 201);
    }
}

#[test]
fn thousand_waits_share_few_database_connections() {
    let server = Server::start();
    let start = Instant::now();
    let systems: Vec<_> = (0..20).map(|_| server.system()).collect();
    let mut wires: Vec<(&System, RawClient)> = Vec::new();
    for _ in 0..50 {
        wires.extend(systems.iter().map(|system| (system, server.waiting(system, 60))));
        // More at once might be refused on a slow machine.
        let used = || sample(&server.metrics(), "strongroom_database_connections_used{lane=\"reads\"}");
        assert_eventually("the service has looked for requests", TIMEOUT, || used() < 1.0);
    }
    assert_eventually("they all wait", TIMEOUT, || connections(&server) <= SESSIONS_OF_A_PROCESS + 1);
    // On a slow machine the first waits may have ended, as they do after a minute.
    let ended = wires.iter().any(|(_, raw)| raw.has_something_to_read());
    assert!(!ended || start.elapsed() >= Duration::from_secs(60), "no wait ends early");
    let request = server.request_backup(&systems[7]);
    for (system, raw) in &mut wires {
        if system.id == systems[7].id {
            assert_eq!(request_ids(&raw.answer()), [request.as_str()]);
        } else {
            let ended = raw.has_something_to_read() && start.elapsed() < Duration::from_secs(60);
            assert!(!ended, "no other wait ends");
        }
    }
}

#[test]
fn request_delivered_before_ends_no_wait_and_is_listed_at_its_end() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    assert_eq!(
        request_ids(&server.waiting(&system, 60).answer()),
        [request.as_str()],
        "the wait ends at once: the request is new"
    );
    let long = server.waiting(&system, 60);
    let start = Instant::now();
    let mut short = server.waiting(&system, 2);
    assert_eq!(request_ids(&short.answer()), [request.as_str()], "an answer may have been lost");
    assert!(start.elapsed() >= Duration::from_secs(2), "after {:?}", start.elapsed());
    assert!(!long.has_something_to_read(), "longer than the polling interval of a second");
    assert_eq!(server.requested(&system), [request.as_str()], "without a wait the answer comes at once");
}

#[test]
fn repeated_request_ends_a_wait() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    assert_eq!(server.requested(&system), [request.as_str()]);
    let mut wires = [begin_wait(&server, &system, 60), begin_wait(&server, &system, 60)];
    // The appliance's problem may be solved by now, so a repeated request ends the wait.
    let start = Instant::now();
    assert_eq!(server.request_backup(&system), request);
    for raw in &mut wires {
        assert_eq!(request_ids(&raw.answer()), [request.as_str()]);
    }
    assert!(start.elapsed() < Duration::from_secs(50), "the wait ended only at its timeout");
}

#[test]
fn poll_takes_no_lock_once_all_requests_are_seen() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    assert_eq!(server.requested(&system), [request.as_str()]);
    server.db.execute(&format!("BEGIN; SELECT FROM systems WHERE id = '{}' FOR UPDATE", system.id));
    server.db.execute(&format!("SELECT FROM backup_requests WHERE id = '{request}' FOR UPDATE"));
    assert_eq!(server.requested(&system), [request.as_str()]);
    server.db.execute("ROLLBACK");
}

#[test]
fn wait_ended_by_shutdown_lists_open_requests() {
    let server = Server::start();
    let system = server.system();
    let request = server.request_backup(&system);
    assert_eq!(server.requested(&system), [request.as_str()]);
    let mut raw = begin_wait(&server, &system, 60);
    server.signal(libc::SIGTERM);
    assert_eq!(request_ids(&raw.answer()), [request.as_str()]);
}
