//! The partitions: there are some for the coming months, and an event without one is written all the same.

use std::sync::Arc;

use super::{add_events, add_month, partitions, without_months};
use crate::harness::{Database, DatabaseRole, Server, TIMEOUT, assert_eventually};

/// Returns the names of the partitions of this month and of the three after it.
fn coming(database: &Database) -> Vec<String> {
    database.all(
        "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n), '\"backup_events_\"YYYY_MM') \
         FROM generate_series(0, 3) n ORDER BY n",
    )
}

#[test]
fn upload_without_a_month_for_its_event_is_stored_and_the_event_moves_into_its_month() {
    let server = Server::start();
    let system = server.system();
    without_months(&server.db);
    server.store(&system, b"x");
    let place = "SELECT tableoid::regclass FROM backup_events WHERE kind = 'uploaded'";
    assert_eq!(server.db.one(place), "backup_events_other");
    let months = coming(&server.db);
    let _other = server.sibling();
    assert_eventually("the months are there", TIMEOUT, || partitions(&server.db).len() == 5);
    assert_eq!(partitions(&server.db), [&months[..], &["backup_events_other".to_owned()]].concat());
    assert_eq!(server.db.one(place), months[0]);
    // The next one goes into the month at once.
    server.store(&system, b"y");
    assert_eq!(server.db.all(place), [months[0].as_str(), &months[0]]);
    let numbers = "SELECT count(DISTINCT id) = count(*) FROM backup_events";
    assert_eq!(server.db.one(numbers), "true", "each event has a number of its own");
}

#[test]
fn month_with_many_events_in_the_default_partition_stays_there() {
    let database = Arc::new(Database::new());
    without_months(&database);
    add_events(&database, 10_001, 0);
    let months = coming(&database);
    let server = Server::builder().database(&database).start();
    assert_eventually("the other months are there", TIMEOUT, || partitions(&database).len() == 4);
    assert_eq!(partitions(&database)[..3], months[1..]);
    let system = server.system();
    server.store(&system, b"x");
    let place = "SELECT tableoid::regclass FROM backup_events WHERE kind = 'uploaded'";
    assert_eq!(database.one(place), "backup_events_other");
}

#[test]
fn every_partition_has_the_indexes_of_the_history_and_an_upload_writes_to_four() {
    let database = Database::new();
    let month = add_month_of_the_future(&database);
    let indexes = |table: &str| {
        database.all(&format!(
            "SELECT regexp_replace(indexdef, '.* USING ', '') FROM pg_indexes WHERE tablename = '{table}' ORDER BY 1"
        ))
    };
    let expected = ["btree (at)", "btree (id)", "btree (org_id, at)", "btree (system_id, at)"];
    for table in ["backup_events_first", "backup_events_other", &month] {
        let (rare, all): (Vec<_>, Vec<_>) =
            indexes(table).into_iter().partition(|index| index.starts_with("btree (kind, at) WHERE"));
        assert_eq!(all, expected, "{table}");
        assert_eq!(rare.len(), 1, "{table}");
        for kind in ["uploaded", "pruned"] {
            assert!(rare[0].contains("<> ALL (ARRAY[") && rare[0].contains(&format!("'{kind}'")));
        }
    }
    let invalid = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid";
    assert_eq!(database.all(invalid), Vec::<String>::new());
}

fn add_month_of_the_future(database: &Database) -> String {
    add_month(database, -24)
}

#[test]
fn service_that_does_not_own_the_history_deletes_rows_and_changes_no_months() {
    let database = Arc::new(Database::new());
    let role = DatabaseRole::new(&database);
    role.grant("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public");
    add_events(&database, 3, 500);
    let before = partitions(&database);
    let server = Server::builder()
        .database(&database)
        .arguments(&["--no-migrate"])
        .set("DATABASE_URL", role.url())
        .start();
    assert_eventually("the old events are gone", TIMEOUT, || {
        database.number("SELECT count(*) FROM backup_events") == 0
    });
    assert!(server.log().contains("does not own the table backup_events"), "{}", server.log());
    assert_eq!(partitions(&database), before);
}

#[test]
fn migrate_makes_the_months_for_a_service_that_may_not() {
    let database = Database::new();
    without_months(&database);
    let mut command = crate::harness::plain_command();
    crate::harness::run(command.arg("migrate").env("DATABASE_URL", database.url())).exits(0);
    assert_eq!(partitions(&database)[..4], coming(&database));
}
