//! A page of the history reads rows in proportion to the page, not to the history.

use chrono::{DateTime, Utc};
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, sql_query};
use strongroom::db::event_list::{self, EventFilter};
use strongroom::domain::event_kind::EventKind;

use crate::harness::Database;

/// A history of 400 organizations: half of them have had no event for 100 days.
fn history() -> Database {
    let database = Database::new();
    database.execute(
        "INSERT INTO organizations (id, name) SELECT 'org' || n, 'A tenant' FROM generate_series(1, 400) n;
         INSERT INTO backup_events (at, kind, org_id, actor)
             SELECT now() - CASE WHEN o % 2 = 0 THEN interval '100 days' ELSE '0' END - n * interval '1 hour',
                 CASE WHEN n % 200 = 7 THEN 'downloaded' WHEN n % 2 = 0 THEN 'uploaded' ELSE 'pruned' END, 'org' || o, 'system'
             FROM generate_series(1, 400) o, generate_series(0, 199) n;
         ANALYZE",
    );
    database
}

/// Returns a page, and how many rows of the history were read for it.
fn page(database: &Database, orgs: Option<Vec<String>>, kind: Option<EventKind>) -> (usize, i64) {
    #[derive(QueryableByName)]
    struct Read {
        #[diesel(sql_type = BigInt)]
        rows: i64,
    }
    let filter = EventFilter { since: DateTime::<Utc>::UNIX_EPOCH, systems: None, orgs, kind };
    let mut session = database.session();
    let counted = session.conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let events = event_list::page(conn, &filter, None, 50).expect("a page");
        let read: Read = sql_query(
            "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint AS rows \
             FROM pg_stat_xact_user_tables WHERE relname LIKE 'backup\\_events%'",
        )
        .get_result(conn)?;
        Ok((events.len(), read.rows))
    });
    counted.expect("a transaction")
}

#[test]
fn page_of_a_tree_reads_as_many_events_as_it_shows_of_each_organization_at_most() {
    let database = history();
    let orgs = |rest: usize| Some((1..=400).filter(|n| n % 2 == rest).map(|n| format!("org{n}")).collect());
    for (what, orgs, kind) in [
        ("all", None, None),
        ("busy organizations", orgs(1), None),
        ("quiet organizations", orgs(0), None),
        ("one", Some(vec!["org2".to_owned()]), None),
        ("downloads", None, Some(EventKind::Downloaded)),
        ("downloads of quiet organizations", orgs(0), Some(EventKind::Downloaded)),
        ("uploads of quiet organizations", orgs(0), Some(EventKind::Uploaded)),
    ] {
        let (events, rows) = page(&database, orgs, kind);
        assert_eq!(events, 50, "{what}");
        // 80,000 in all. Of 200 quiet organizations, a page each.
        assert!(rows < 30_000, "{what}: {rows} rows");
    }
    for kind in [EventKind::QuotaSet, EventKind::Refused] {
        let (events, rows) = page(&database, orgs(0), Some(kind));
        assert!(events == 0 && rows < 100, "{kind:?}: {rows} rows");
    }
}
