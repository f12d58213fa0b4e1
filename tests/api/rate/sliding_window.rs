//! The sliding window over a system's whole history: three processes, a restart, released slots, a clock that
//! jumps.

use crate::harness::{RawClient, Server, System, TIMEOUT, assert_eventually, bytes};

/// Makes all admissions of the system look this much older.
fn pass(server: &Server, system: &System, time: &str) {
    server.db.execute(&format!(
        "BEGIN;
         UPDATE systems SET recent_admissions = ARRAY(SELECT at - interval '{time}' FROM unnest(recent_admissions) at)
         WHERE id = '{id}';
         UPDATE backups SET window_entry = window_entry - interval '{time}' WHERE system_id = '{id}';
         COMMIT;",
        id = system.id
    ));
}

/// Sends this many uploads at the same moment, distributed over the servers; returns how many were stored. The
/// others must be 429.
fn burst(servers: &[&Server], system: &System, count: usize) -> usize {
    std::thread::scope(|scope| {
        let send = |number: usize| {
            let answer = servers[number % servers.len()].put(system, b"x");
            if answer.status != 201 {
                answer.is_rate_limited();
            }
            usize::from(answer.status == 201)
        };
        let all: Vec<_> = (0..count).map(|number| scope.spawn(move || send(number))).collect();
        all.into_iter().map(|client| client.join().expect("a client")).sum()
    })
}

/// Stores as many uploads as the window permits, in bursts: a burst may also reach the limit of open uploads.
fn fill(servers: &[&Server], system: &System) -> usize {
    let mut stored = 0;
    loop {
        let more = burst(servers, system, 12);
        stored += more;
        if more == 0 {
            return stored;
        }
    }
}

/// Returns the largest number of backups that any span of this length holds.
fn most_within(server: &Server, system: &System, seconds: u32) -> i64 {
    server.db.number(&format!(
        "SELECT max(held) FROM (
             SELECT count(*) OVER (ORDER BY window_entry
                 RANGE BETWEEN CURRENT ROW AND interval '{seconds} seconds' - interval '1 microsecond' FOLLOWING) AS held
             FROM backups WHERE system_id = '{}' AND state = 'stored') AS spans",
        system.id
    ))
}

#[test]
fn no_minute_and_no_hour_has_more_uploads_than_its_limit() {
    let builder = Server::builder()
        .set("BACKUP_RATE_LIMIT_PER_MINUTE", 4)
        .set("BACKUP_RATE_LIMIT_PER_HOUR", 15)
        .set("BACKUP_MAX_PER_SYSTEM", 100);
    let one = builder.start();
    let (two, three) = (one.sibling(), one.sibling());
    let system = one.system();
    assert_eq!(fill(&[&one, &two, &three], &system), 4);
    pass(&one, &system, "59 seconds");
    assert_eq!(burst(&[&one, &two, &three], &system, 12), 0, "admitted a second too early");
    pass(&one, &system, "2 seconds");
    // A process remembers the end of its refusals, and refuses until then. A restarted one does not remember it,
    // but still counts the admissions.
    two.kill();
    let two = two.sibling();
    two.put(&system, b"x").id();
    pass(&one, &system, "30 seconds");
    assert_eq!(fill(&[&two], &system), 3, "the upload of half a minute ago still counts");
    pass(&one, &system, "31 seconds");
    let fresh = one.sibling();
    assert_eq!(fill(&[&fresh], &system), 1, "only the upload of a minute ago is out of the window");
    for round in 0..2 {
        pass(&one, &system, "61 seconds");
        let fresh = one.sibling();
        assert_eq!(fill(&[&fresh], &system), [4, 2][round], "up to the limit of the hour");
    }
    pass(&one, &system, "61 seconds");
    assert!(one.sibling().put(&system, b"x").is_rate_limited() > 60, "the limit of the hour is reached");
    assert_eq!((most_within(&one, &system, 60), most_within(&one, &system, 3600)), (4, 15));
    pass(&one, &system, "1 hour");
    assert_eq!(fill(&[&one.sibling()], &system), 4);
    assert_eq!((most_within(&one, &system, 60), most_within(&one, &system, 3600)), (4, 15));
}

#[test]
fn released_slot_is_one_slot_at_every_process() {
    let one = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "4")]);
    let two = one.sibling();
    let system = one.system();
    let mut failing = RawClient::upload(&one, &system, &["Content-Length: 10"]);
    assert_eventually("the upload is under way", TIMEOUT, || one.receiving() == 1);
    assert_eq!(fill(&[&two], &system), 3);
    two.put(&system, b"x").is_rate_limited();
    one.store.break_store();
    failing.send(bytes(10));
    failing.answer().is_unavailable();
    one.store.repair_store();
    assert_eventually("the slot is released", TIMEOUT, || one.slots_used(&system) == 3);
    assert_eventually("the other process counts it, too", TIMEOUT, || two.put(&system, b"x").status == 201);
    assert_eq!((burst(&[&one, &two], &system, 8), one.slots_used(&system)), (0, 4));
    assert_eq!(most_within(&one, &system, 60), 4);
}

#[test]
fn clock_set_back_by_a_day_blocks_uploads_for_a_minute_only() {
    let one = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "2")]);
    let system = one.system();
    assert_eq!(fill(&[&one], &system), 2);
    pass(&one, &system, "-1 day");
    let two = one.sibling();
    assert!((59..=60).contains(&two.put(&system, b"x").is_rate_limited()));
    pass(&one, &system, "61 seconds");
    let three = one.sibling();
    assert_eq!(fill(&[&three], &system), 2, "the minute of Retry-After is over");
    assert_eq!(most_within(&one, &system, 60), 2);
}

#[test]
fn slot_is_released_after_the_clock_was_set_back() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "3")]);
    let system = server.system();
    server.store(&system, b"x");
    let mut failing = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    assert_eventually("the upload is under way", TIMEOUT, || server.receiving() == 1);
    pass(&server, &system, "-1 day");
    server.store(&system, b"the entries of tomorrow are moved to now");
    assert!(
        server
            .db
            .holds("(SELECT max(at) < now() + interval '1 s' FROM systems, unnest(recent_admissions) at)")
    );
    server.store.break_store();
    failing.send(bytes(10));
    failing.answer().is_unavailable();
    server.store.repair_store();
    assert_eventually("its own slot is released", TIMEOUT, || server.slots_used(&system) == 2);
    assert_eq!(fill(&[&server], &system), 1);
}
