//! `EVENTS_KEEP`: what is older is dropped by the month, or in small bites.

use std::sync::Arc;

use super::{add_events, add_month, partitions, without_months};
use crate::harness::{Database, Server, TIMEOUT, assert_eventually};

#[test]
fn months_are_dropped_once_all_of_their_events_are_too_old() {
    let database = Arc::new(Database::new());
    without_months(&database);
    let months: Vec<String> = (0..=6).map(|ago| add_month(&database, ago)).collect();
    for days in [0, 20, 125, 185] {
        add_events(&database, 10, days);
    }
    let server = Server::builder().database(&database).set("EVENTS_KEEP", "92d").start();
    // 92 days reach into the third month before this one, at the most into the fourth one's last days.
    assert_eventually("the old months are gone", TIMEOUT, || {
        !partitions(&database).iter().any(|name| months[5..].contains(name))
    });
    let left = partitions(&database);
    assert!(months[..=3].iter().all(|name| left.contains(name)), "{left:?}");
    let events =
        "SELECT count(*) FROM backup_events WHERE at > now() - interval '92 days' AND kind = 'quota_set'";
    assert_eq!(database.number(events), 20);
    assert_eventually("the log says it", TIMEOUT, || server.log().contains("dropped a_month_6"));
}

#[test]
fn old_rows_outside_of_months_are_deleted_and_the_others_stay() {
    let database = Arc::new(Database::new());
    add_events(&database, 2500, 500);
    add_events(&database, 10, 399);
    let server = Server::builder().database(&database).start();
    let count = "SELECT count(*) FROM backup_events";
    assert_eventually("the old events are gone", TIMEOUT, || database.number(count) == 10);
    // The default partition.
    without_months(&database);
    add_events(&database, 2500, 500);
    add_events(&database, 7, 399);
    let _other = server.sibling();
    assert_eventually("the old events are gone", TIMEOUT, || database.number(count) == 7);
}

#[test]
fn old_ended_requests_are_deleted_and_open_ones_stay() {
    let server = Server::start();
    let system = server.system();
    server.db.execute(&format!(
        "INSERT INTO backup_requests (id, system_id, org_id, state, requested_by, requested_at, expires_at, ended_at)
         SELECT gen_random_uuid(), '{}', '{}', new.state, new.name, now() - interval '500 days', now() + interval '1 day',
             now() - new.age
         FROM (VALUES ('cancelled', 'old', interval '401 days'), ('expired', 'old', '500 days'), ('expired', 'new', '399 days'),
             ('pending', 'open', NULL)) AS new (state, name, age)",
        system.id, system.org
    ));
    let _other = server.sibling();
    let left = "SELECT requested_by FROM backup_requests ORDER BY 1";
    assert_eventually("the old ones are gone", TIMEOUT, || server.db.all(left) == ["new", "open"]);
}

#[test]
fn month_in_use_stops_nobody_and_is_dropped_later() {
    let database = Arc::new(Database::new());
    without_months(&database);
    let month = add_month(&database, 6);
    add_month(&database, 0);
    let reader = Database::at(database.url());
    reader.execute(&format!("BEGIN; SELECT count(*) FROM {month}"));
    let server = Server::builder().database(&database).set("EVENTS_KEEP", "31d").start();
    let system = server.system();
    server.store(&system, b"x");
    assert!(partitions(&database).contains(&month));
    reader.execute("ROLLBACK");
    let _other = server.sibling();
    assert_eventually("the month is gone", TIMEOUT, || !partitions(&database).contains(&month));
}
