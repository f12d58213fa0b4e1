//! 429: the sliding window of a system, and the number of uploads that it may have open.

use std::time::{Duration, Instant};

use crate::harness::{RawClient, Server, System, TIMEOUT, assert_eventually, bytes, wait_for};

/// Makes the system's admissions so far look this much older.
fn age(server: &Server, system: &System, by: &str) {
    server.db.execute(&format!(
        "UPDATE systems SET recent_admissions = ARRAY(SELECT at - interval '{by}' FROM unnest(recent_admissions) at)
         WHERE id = '{}'",
        system.id
    ));
}

#[test]
fn seventh_upload_within_a_minute_is_refused_and_costs_nothing() {
    let server = Server::start();
    let system = server.system();
    let start = Instant::now();
    for _ in 0..6 {
        server.store(&system, b"x");
    }
    let before = server.snapshot();
    for _ in 0..5 {
        let seconds = server.put(&system, b"x").is_rate_limited();
        let least = 60_u64.saturating_sub(start.elapsed().as_secs());
        assert!(
            (least.max(1)..=60).contains(&seconds),
            "{seconds} s to wait, {:?} after the first",
            start.elapsed()
        );
        server.upload(&system).chunked("x").send().is_rate_limited();
    }
    server.assert_refused(&before, &system, 6);
    let sibling = server.add_system(&system.org, "another of the same organization");
    server.store(&sibling, b"not limited by its sibling");
}

#[test]
fn rate_limited_system_may_still_list_download_and_delete() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "1")]);
    let system = server.system();
    let id = server.store(&system, b"x");
    server.put(&system, b"x").is_rate_limited();
    assert_eq!(server.ids(&system), [id.as_str()]);
    server.fetch(&system, &id).send().status(200);
    server.delete(&system, &id).status(200);
    assert_eq!(server.slots_used(&system), 1, "a deletion releases no slot");
}

#[test]
fn window_slides_and_retry_after_is_the_time_until_the_next_slot() {
    let server = Server::start();
    let system = server.system();
    for _ in 0..6 {
        server.store(&system, b"x");
    }
    // Sets the age, however long the steps before took: 50 seconds.
    server.db.execute(
        "UPDATE systems SET recent_admissions = ARRAY(
             SELECT at + (clock_timestamp() - interval '50 seconds' - recent_admissions[1])
             FROM unnest(recent_admissions) at)",
    );
    let seconds = server.put(&system, b"x").is_rate_limited();
    assert!(seconds <= 10, "{seconds} s to wait for a window that ends in 10");
    wait_for(Duration::from_secs(seconds));
    server.store(&system, b"at the end of Retry-After there is room");
}

#[test]
fn uploads_per_hour_are_limited() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "0"), ("BACKUP_RATE_LIMIT_PER_HOUR", "8")]);
    let system = server.system();
    for _ in 0..8 {
        server.store(&system, b"x");
    }
    age(&server, &system, "30 minutes");
    let before = server.snapshot();
    let seconds = server.put(&system, b"x").is_rate_limited();
    assert!((1700..=1800).contains(&seconds), "{seconds} s to wait in the middle of the hour");
    server.assert_refused(&before, &system, 8);
}

#[test]
fn retry_after_is_the_later_of_both_limits() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "2"), ("BACKUP_RATE_LIMIT_PER_HOUR", "3")]);
    let system = server.system();
    server.store(&system, b"x");
    age(&server, &system, "10 minutes");
    server.store(&system, b"x");
    server.store(&system, b"x");
    let seconds = server.put(&system, b"x").is_rate_limited();
    assert!((2900..=3000).contains(&seconds), "{seconds} s until the first is an hour old");
}

#[test]
fn a_limit_of_zero_is_no_limit() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "0"), ("BACKUP_RATE_LIMIT_PER_HOUR", "0")]);
    let system = server.system();
    for _ in 0..70 {
        server.store(&system, b"x");
    }
    assert_eq!(server.slots_used(&system), 0, "a window without a limit is not recorded");
}

#[test]
fn window_survives_a_restart() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "2")]);
    let system = server.system();
    server.store(&system, b"x");
    server.store(&system, b"x");
    server.kill();
    let next = server.sibling();
    assert!(next.put(&system, b"x").is_rate_limited() > 30);
}

#[test]
fn two_processes_share_one_window() {
    let one = Server::start();
    let other = one.sibling();
    let system = one.system();
    for _ in 0..3 {
        one.store(&system, b"x");
        other.store(&system, b"x");
    }
    one.put(&system, b"x").is_rate_limited();
    other.put(&system, b"x").is_rate_limited();
    assert_eq!(one.slots_used(&system), 6);
}

#[test]
fn concurrent_uploads_do_not_exceed_the_window() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "3")]);
    let system = server.system();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let send = || server.put(&system, b"x").status;
        let all: Vec<_> = (0..12).map(|_| scope.spawn(send)).collect();
        all.into_iter().map(|thread| thread.join().expect("a client")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 9, "{statuses:?}");
    assert_eq!(server.slots_used(&system), 3);
}

#[test]
fn system_has_at_most_four_open_uploads() {
    let server = Server::start();
    let system = server.system();
    let mut open: Vec<RawClient> =
        (0..4).map(|_| RawClient::upload(&server, &system, &["Content-Length: 10"])).collect();
    assert_eventually("four uploads are open", TIMEOUT, || server.receiving() == 4);
    let before = server.snapshot();
    let seconds = server.put(&system, b"x").is_rate_limited();
    assert!(seconds <= 10, "{seconds} s is not a short time");
    server.assert_refused(&before, &system, 4);
    let sibling = server.add_system(&system.org, "another of the same organization");
    server.store(&sibling, b"not limited by its sibling");
    open[0].send(bytes(10));
    open[0].answer().id();
    assert_eventually("one more upload may be open again", Duration::from_secs(seconds + 2), || {
        server.put(&system, b"x").status == 201
    });
    for raw in &mut open[1..] {
        raw.send(bytes(10));
        raw.answer().id();
    }
}

#[test]
fn clock_set_back_locks_no_system_out() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "2")]);
    let system = server.system();
    server.store(&system, b"x");
    server.store(&system, b"x");
    age(&server, &system, "-1 day");
    let seconds = server.put(&system, b"x").is_rate_limited();
    assert!(seconds <= 60, "{seconds} s to wait for entries of tomorrow");
}
