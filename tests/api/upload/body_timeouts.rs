//! 408: clients that stall are refused, and slow ones are not.

use std::time::{Duration, Instant};

use crate::harness::{
    Builder, Certificate, RawClient, Server, TIMEOUT, assert_eventually, bytes, chunk, wait_for,
};

fn with_tls() -> Builder {
    Server::builder().tls(&Certificate::new())
}

#[test]
fn a_client_that_stalls_is_answered_408_and_leaves_nothing() {
    a_stalled_body_is_answered_408(Server::builder());
}

#[test]
fn a_client_that_stalls_over_tls_is_answered_408_and_leaves_nothing() {
    a_stalled_body_is_answered_408(with_tls());
}

fn a_stalled_body_is_answered_408(builder: Builder) {
    let server = builder.set("BACKUP_BODY_IDLE_TIMEOUT", 1).start();
    for begin in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        for sent in [0, 500] {
            let system = server.system();
            let before = server.snapshot();
            let mut raw = RawClient::upload(&server, &system, &[begin]);
            if sent > 0 {
                raw.send(if begin.starts_with('T') { chunk(&bytes(sent)) } else { bytes(sent) });
            }
            raw.answer().status(408).data();
            server.assert_refused(&before, &system, 1);
        }
    }
    assert!(server.objects().is_empty());
}

#[test]
fn connection_with_half_a_body_is_closed() {
    for builder in [Server::builder(), with_tls()] {
        let server = builder.set("BACKUP_BODY_IDLE_TIMEOUT", 1).start();
        let system = server.system();
        let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
        raw.answer().status(408);
        assert!(raw.is_closed());
    }
}

#[test]
fn slow_client_that_keeps_sending_does_not_time_out() {
    sending_slowly_is_not_idle(Server::builder());
}

#[test]
fn slow_client_that_keeps_sending_over_tls_does_not_time_out() {
    sending_slowly_is_not_idle(with_tls());
}

fn sending_slowly_is_not_idle(builder: Builder) {
    let idle = 8;
    let server = builder.set("BACKUP_BODY_IDLE_TIMEOUT", idle).start();
    let system = server.system();
    let length = idle + 2;
    let mut known = RawClient::upload(&server, &system, &[&format!("Content-Length: {length}")]);
    let mut chunked = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    // All of it takes longer than the idle timeout; each pause is much shorter, also on a busy machine.
    for _ in 0..length {
        wait_for(Duration::from_secs(1));
        known.send("x");
        chunked.send(chunk(b"x"));
    }
    chunked.send(chunk(b""));
    assert_eq!(known.answer().data()["size"], length);
    assert_eq!(chunked.answer().data()["size"], length);
}

#[test]
fn a_client_below_the_minimum_rate_is_answered_408_within_the_minute() {
    a_rate_below_the_minimum_is_answered_408(Server::builder());
}

#[test]
fn a_client_below_the_minimum_rate_over_tls_is_answered_408_within_the_minute() {
    a_rate_below_the_minimum_is_answered_408(with_tls());
}

fn a_rate_below_the_minimum_is_answered_408(builder: Builder) {
    let server = builder.set("BACKUP_BODY_MIN_RATE", 1000).start();
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000000"]);
    let start = Instant::now();
    while raw.try_send("x").is_ok() && !raw.has_something_to_read() {
        assert!(start.elapsed() < TIMEOUT * 4, "still served at 5 bytes a second");
        wait_for(Duration::from_millis(200));
    }
    raw.answer().status(408).data();
    assert!(
        start.elapsed() > Duration::from_secs(10),
        "aborted after {:?}, before the minute was over",
        start.elapsed()
    );
    server.assert_refused(&before, &system, 1);
}

#[test]
fn minimum_rate_is_enforced_while_others_wait_for_reserved_bytes() {
    let server = Server::with([("BACKUP_BODY_MIN_RATE", "1")]);
    let slow = server.system_with_quota(1_000_000);
    let fast = server.add_system(&slow.org, "fast");
    let mut raw = RawClient::upload(&server, &slow, &["Content-Length: 1000000"]);
    let start = Instant::now();
    while raw.try_send("x").is_ok() && !raw.has_something_to_read() {
        assert!(start.elapsed() < TIMEOUT * 6, "still served at 5 bytes a second");
        wait_for(Duration::from_millis(200));
        if start.elapsed() > Duration::from_secs(5) {
            // These refused uploads repeat until the slow one has been ended.
            let _ = server.put(&fast, b"no room for a byte");
        }
    }
    raw.answer().status(408).data();
    assert_eventually("there is space again", TIMEOUT, || server.put(&fast, b"room").status == 201);
}

#[test]
fn timed_out_upload_is_in_the_history() {
    let server = Server::with([("BACKUP_BODY_IDLE_TIMEOUT", "1")]);
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 2"]);
    raw.answer().status(408);
    server.store(&system, b"the next transaction writes it");
    let reasons = server.db.all("SELECT detail ->> 'reason' FROM backup_events WHERE kind = 'refused'");
    assert_eq!(reasons, ["timeout"]);
}
