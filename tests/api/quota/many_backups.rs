//! Systems with so many backups that a transaction reads only the oldest and the newest of them. Nothing may differ from a system with
//! few. (When a server ends, its rows, totals and facts are compared.)

use crate::harness::{Disconnect, RawClient, Server, System, TIMEOUT, assert_eventually, bytes};

/// More than are read as a whole.
const MANY: usize = 80;

/// Stores `MANY` backups of one byte more each, and returns their ids, oldest first.
fn fill(server: &Server, system: &System, first_size: usize) -> Vec<String> {
    (0..MANY).map(|n| server.store(system, &bytes(first_size + n))).collect()
}

/// The ids that the system has, oldest first.
fn kept(server: &Server, system: &System) -> Vec<String> {
    let mut ids = server.ids(system);
    ids.reverse();
    ids
}

/// What the row of the system says: backups, bytes, the newest backup and the newest whole one.
fn facts(server: &Server, system: &System) -> String {
    server.db.one(&format!(
        "SELECT concat_ws(' ', backups_kept, bytes_kept, last_backup_id, whole_backup_id) FROM systems WHERE system_key = '{}'",
        system.key
    ))
}

fn uuid(id: &str) -> &str {
    id.split('.').next().unwrap_or_default()
}

#[test]
fn oldest_of_many_backups_makes_way_for_the_newest() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", MANY).start();
    let system = server.system();
    let mut ids = fill(&server, &system, 100);
    for _ in 0..3 {
        ids.push(server.store(&system, &bytes(50)));
        ids.remove(0);
        assert_eq!(kept(&server, &system), ids);
    }
    let stored = (3..MANY).map(|n| 100 + n).sum::<usize>() + 3 * 50;
    let newest = uuid(&ids[MANY - 1]);
    assert_eq!(facts(&server, &system), format!("{MANY} {stored} {newest} {newest}"));
    assert_eq!(server.totals(&system.org), (i64::try_from(stored).expect("small"), 0));
    // Any backup can be deleted, also one in the middle.
    server.delete(&system, &ids[MANY / 2]).status(200);
    ids.remove(MANY / 2);
    assert_eq!(kept(&server, &system), ids);
    ids.push(server.store(&system, &bytes(1)));
    assert_eq!(kept(&server, &system), ids, "a slot was free");
    server.delete(&system, &ids[MANY / 2]).status(200);
    server.delete(&system, &ids[MANY / 2]).status(404);
}

#[test]
fn newest_whole_one_of_many_backups_is_known_also_if_all_newer_ones_are_damaged() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", MANY + 1).start();
    let system = server.system();
    let ids = fill(&server, &system, 100);
    let whole = &ids[MANY / 2];
    let newer: Vec<_> = ids[MANY / 2 + 1..].iter().map(|id| format!("'{}'", uuid(id))).collect();
    server.db.execute(&format!("UPDATE backups SET damage = 'damaged' WHERE id IN ({})", newer.join(", ")));
    // An upload that is refused changes the row of the system, and leaves its backups.
    let mut half = RawClient::upload(&server, &system, &["Content-Length: 200000"]);
    half.send(bytes(1000));
    assert_eventually("it is admitted", TIMEOUT, || server.receiving() == 1);
    half.disconnect(Disconnect::Rst);
    assert_eventually("it is aborted", TIMEOUT, || server.receiving() == 0);
    let stored = (0..MANY).map(|n| 100 + n).sum::<usize>();
    let expected = format!("{MANY} {stored} {} {}", uuid(&ids[MANY - 1]), uuid(whole));
    assert_eq!(facts(&server, &system), expected);
    let new = server.store(&system, &bytes(7));
    assert_eq!(facts(&server, &system), format!("{} {} {2} {2}", MANY + 1, stored + 7, uuid(&new)));
}

#[test]
fn size_cap_is_exact_with_many_backups() {
    let (size, count) = (1000, 160);
    let server = Server::builder()
        .no_rate_limit()
        .set("BACKUP_MAX_PER_SYSTEM", 10_000)
        .set("BACKUP_MAX_SIZE_PER_SYSTEM", size * count)
        .start();
    let system = server.system();
    let mut ids: Vec<_> = (0..count).map(|_| server.store(&system, &bytes(size))).collect();
    // Few are taken, all but one of those that are read, and more than those.
    for (length, taken) in
        [(1, 1), (size - 1, 0), (size + 1, 2), (15 * size, 15), (40 * size, 40), (2 * size, 2)]
    {
        ids.drain(..taken);
        ids.push(server.store(&system, &bytes(length)));
        assert_eq!(kept(&server, &system), ids, "after {length} bytes");
        let cap = i64::try_from(size * count).expect("small");
        assert!(server.totals(&system.org).0 <= cap, "after {length} bytes");
    }
}

#[test]
fn limit_of_backups_that_is_lowered_counts_at_the_next_upload() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 200).start();
    let system = server.system();
    let mut ids = fill(&server, &system, 100);
    for slots in [MANY - 10, MANY - 50] {
        let lower = server.sibling_with("BACKUP_MAX_PER_SYSTEM", slots);
        ids.push(lower.store(&system, &bytes(10)));
        ids.drain(..ids.len() - slots);
        assert_eq!(kept(&lower, &system), ids, "{slots} slots");
    }
}

#[test]
fn quota_is_exact_while_open_uploads_hold_what_many_backups_will_free() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", MANY).start();
    let size = 200_000;
    server.add_org("acme", Some((MANY * size) as u64));
    let [system, other] = &server.add_systems("acme", 2)[..] else { panic!("two systems") };
    let mut ids: Vec<_> = (0..MANY).map(|_| server.store(system, &bytes(size))).collect();
    // Each of two slow uploads replaces one of the oldest, and a third comes between.
    let length = format!("Content-Length: {size}");
    let mut slow: Vec<_> = (0..2).map(|_| RawClient::upload(&server, system, &[&length])).collect();
    for raw in &mut slow {
        raw.send(bytes(1000));
    }
    let pledged = "SELECT count(*) FROM backups WHERE pledged_to IS NOT NULL";
    assert_eventually("both are admitted", TIMEOUT, || server.db.number(pledged) == 2);
    server.upload(system).body(bytes(size + 1)).send().is_over_quota();
    ids.push(server.store(system, &bytes(size - 5)));
    server.upload(other).body(bytes(6)).send().is_over_quota();
    let small = server.store(other, &bytes(5));
    for mut raw in slow {
        raw.send(bytes(size - 1000));
        ids.push(raw.answer().id());
    }
    ids.drain(..3);
    assert_eq!(kept(&server, system), ids);
    server.delete(other, &small).status(200);
    let full = i64::try_from(MANY * size - 5).expect("a total");
    assert_eq!(server.totals("acme"), (full, 0));
}

#[test]
fn what_is_pledged_behind_the_oldest_counts() {
    let size = 1000;
    let server = Server::builder()
        .no_rate_limit()
        .set("BACKUP_MAX_SIZE_PER_SYSTEM", MANY * size)
        .set("BACKUP_MAX_PER_SYSTEM", 1000);
    let server = server.start();
    let system = server.system();
    let mut ids: Vec<_> = (0..MANY).map(|_| server.store(&system, &bytes(size))).collect();
    let slow = |count: usize, pledged: i64| {
        let mut raw = RawClient::upload(&server, &system, &[&format!("Content-Length: {}", count * size)]);
        raw.send(bytes(size));
        let sql = "SELECT count(*) FROM backups WHERE pledged_to IS NOT NULL";
        assert_eventually("it is admitted", TIMEOUT, || server.db.number(sql) == pledged);
        raw
    };
    // The first one leaves 40 that are older than what the second one needs.
    let (first, mut second) = (slow(40, 40), slow(20, 60));
    first.disconnect(Disconnect::Rst);
    assert_eventually("it is aborted", TIMEOUT, || server.receiving() == 1);
    ids.push(server.store(&system, b"x"));
    let total = |bytes: usize| i64::try_from(bytes).expect("a total");
    assert_eq!(server.totals(&system.org), (total((MANY - 1) * size + 1), 0), "what it needs is pledged");
    second.send(bytes(19 * size));
    ids.push(second.answer().id());
    assert_eq!(kept(&server, &system), ids[21..]);
    assert_eq!(server.totals(&system.org), (total((MANY - 1) * size + 1), 0));
}
