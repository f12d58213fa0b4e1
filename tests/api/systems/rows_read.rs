//! What lists and totals cost: rows in proportion to what they show, however many systems there are.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, sql_query};
use strongroom::db::systems::{self, Position, Sort, SortKey, SystemFilter};
use strongroom::domain::caller::VisibleOrgs;
use strongroom::domain::status::SystemStatus;

use crate::harness::Database;

/// Makes 1,000 organizations with 10 systems each. One system in a hundred is refused, and another one late.
fn fleet() -> Database {
    let database = Database::new();
    database.execute(
        "INSERT INTO organizations (id, name) SELECT 'org-' || n, 'A tenant' FROM generate_series(1, 1000) n;
         UPDATE organizations SET parent_id = 'org-1' WHERE id IN (SELECT 'org-' || n FROM generate_series(2, 20) n);
         INSERT INTO org_usage (org_id) SELECT id FROM organizations;
         INSERT INTO systems (id, system_key, org_id, name, secret_sha256, last_backup_id, last_backup_at, backups_kept, bytes_kept,
             last_seq, refused_at, refused_reason, refused_since, refused_upload_at)
         SELECT gen_random_uuid(), o.id || '-' || each.n, o.id, 'Firewall ' || md5(o.id || each.n), sha256('x'), gen_random_uuid(),
             CASE (substr(o.id, 5)::int * 10 + each.n) % 100 WHEN 7 THEN now() - interval '3 days' ELSE now() END, 1, 1, 1,
             refused.at, refused.reason, refused.at, refused.at
         FROM organizations o CROSS JOIN generate_series(1, 10) AS each (n)
         LEFT JOIN (VALUES (3, now(), 'rate')) AS refused (n, at, reason) ON refused.n = (substr(o.id, 5)::int * 10 + each.n) % 100;",
    );
    database.execute("VACUUM ANALYZE systems");
    database.execute("ANALYZE organizations");
    database
}

/// Returns how many rows of `systems` were read.
fn rows_read<T>(database: &Database, work: impl FnOnce(&mut PgConnection) -> T) -> (T, i64) {
    #[derive(QueryableByName)]
    struct Read {
        #[diesel(sql_type = BigInt)]
        rows: i64,
    }
    let mut session = database.session();
    let counted = session.conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let done = work(conn);
        let read: Read = sql_query(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables WHERE relname = $1",
        )
        .bind::<Text, _>("systems")
        .get_result(conn)?;
        Ok((done, read.rows))
    });
    counted.expect("a transaction")
}

fn orgs(ids: impl IntoIterator<Item = u32>) -> VisibleOrgs {
    VisibleOrgs::Of(ids.into_iter().map(|n| format!("org-{n}")).collect())
}

#[test]
fn pages_read_rows_in_proportion_to_what_they_show() {
    let database = fleet();
    let middle = Position::Id("80000000-0000-0000-0000-000000000000".parse().expect("an id"));
    let by_name = Position::Name("Firewall 8".to_owned(), uuid::Uuid::nil());
    let by_id = |descending| Sort { key: SortKey::Id, descending };
    let name = Sort { key: SortKey::Name, descending: false };
    let until = Sort { key: SortKey::ProtectedUntil, descending: false };
    let all = || VisibleOrgs::All;
    for (what, orgs, statuses, sort, after, shown, most) in [
        ("all", all(), vec![], by_id(false), None, 50, 60),
        ("all, in the middle", all(), vec![], by_id(false), Some(&middle), 50, 60),
        ("all, backward", all(), vec![], by_id(true), Some(&middle), 50, 60),
        ("by name", all(), vec![], name, Some(&by_name), 50, 60),
        ("by time", all(), vec![], until, None, 50, 60),
        ("refused", all(), vec![SystemStatus::Refused], by_id(false), None, 50, 60),
        ("suspended", all(), vec![SystemStatus::Suspended], by_id(false), None, 0, 10),
        ("late", all(), vec![SystemStatus::Late], by_id(false), None, 50, 300),
        ("late, by time", all(), vec![SystemStatus::Late], until, None, 50, 300),
        ("fresh", all(), vec![SystemStatus::Fresh], by_id(false), None, 50, 80),
        ("one organization", orgs([7]), vec![], by_id(false), None, 10, 15),
        ("refused, one organization", orgs([7]), vec![SystemStatus::Refused], by_id(false), None, 0, 15),
        ("a tree", orgs(1..=20), vec![], by_id(false), Some(&middle), 50, 150),
        ("a tree, by name", orgs(1..=20), vec![], name, None, 50, 260),
        ("a tree, refused", orgs(1..=20), vec![SystemStatus::Refused], by_id(false), None, 2, 260),
    ] {
        let filter = SystemFilter { orgs, statuses, text: None };
        let (page, rows) =
            rows_read(&database, |conn| systems::page(conn, &filter, sort, after, 50).expect("a page"));
        assert_eq!(page.systems.len(), shown, "{what}");
        assert!(rows <= most, "{what}: {rows} rows of systems were read, at most {most} are needed");
    }
}

#[test]
fn totals_read_each_system_once_and_only_those_that_count() {
    let database = fleet();
    for (orgs, shown) in [(VisibleOrgs::All, 10_000), (orgs([7]), 10), (orgs(1..=20), 200)] {
        let (counts, rows) =
            rows_read(&database, |conn| systems::count_by_status(conn, &orgs).expect("totals"));
        assert_eq!(counts.iter().map(|count| count.systems).sum::<i64>(), shown);
        assert_eq!(rows, shown, "each row once");
    }
}

#[test]
fn system_is_found_by_name_without_reading_the_others() {
    let database = fleet();
    let key = "org-500-5";
    let name = database.one(&format!("SELECT name FROM systems WHERE system_key = '{key}'"));
    for text in [key, name.as_str(), &format!("org-500/{name}")] {
        let (found, rows) = rows_read(&database, |conn| systems::find(conn, None, text).expect("a query"));
        assert_eq!(found.len(), 1, "{text}");
        assert!(rows <= 10, "{text}: {rows} rows");
    }
}
