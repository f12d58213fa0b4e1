//! The history in monthly partitions, and how long it is kept.

mod keep;
mod months;
mod upgrade;

use crate::harness::Database;

/// Takes every partition away but the one for events without a month.
fn without_months(database: &Database) {
    database.execute(
        "ALTER TABLE backup_events DETACH PARTITION backup_events_first;
         DO $$ DECLARE month text; BEGIN
             FOR month IN SELECT partition::text FROM partitions_of_events() WHERE first_at IS NOT NULL LOOP
                 EXECUTE format('DROP TABLE %I', month);
             END LOOP;
         END $$",
    );
}

/// Makes the partition of the month that began so many months before the present one, and returns its name.
fn add_month(database: &Database, ago: i32) -> String {
    let begin = |ago: i32| {
        database.one(&format!(
            "SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => {ago})) AT TIME ZONE 'UTC'"
        ))
    };
    let name = format!("a_month_{ago}").replace('-', "ahead_");
    let (from, to) = (begin(ago), begin(ago - 1));
    database.execute(&format!(
        "CREATE TABLE {name} PARTITION OF backup_events (PRIMARY KEY (id)) FOR VALUES FROM ('{from}') TO ('{to}')"
    ));
    name
}

/// Adds events of so many days ago.
fn add_events(database: &Database, count: u32, days_ago: u32) {
    database.execute(&format!(
        "INSERT INTO backup_events (at, kind, org_id, actor) SELECT now() - interval '{days_ago} days', 'quota_set', 'acme', 'operator' \
         FROM generate_series(1, {count})"
    ));
}

fn partitions(database: &Database) -> Vec<String> {
    database.all("SELECT partition::text FROM partitions_of_events() ORDER BY 1")
}
