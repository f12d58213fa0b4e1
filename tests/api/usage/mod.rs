//! What organizations use: by day for trends, by month for bills.

mod days;
mod month;
mod trend;

use std::time::Duration;

use crate::harness::{Login, Server, System, TIMEOUT, assert_eventually};

/// What the service leaves to the events of a day before it adds the day up: until then the day is not over.
const GRACE: &str = "interval '5 minutes'";

/// A server with `acme`, `north` below it, and `globex`, each with a system. No day ends during the test.
fn server(login: &Login) -> (Server, [System; 3]) {
    let server = Server::builder().login(login).start();
    let ends_soon = format!(
        "SELECT count(*) FROM (SELECT (now() - {GRACE}) AT TIME ZONE 'UTC' AS now) AS t \
         WHERE now::date < (now + interval '2 minutes')::date"
    );
    assert_eventually("a new day", Duration::from_mins(4), || server.db.number(&ends_soon) == 0);
    for (org, parent) in [("acme", "none"), ("north", "acme"), ("globex", "none")] {
        server.add_org(org, None);
        server.cli(["org", "set-parent", org, parent]).exits(0);
    }
    let systems = ["acme", "north", "globex"].map(|org| server.add_system(org, org));
    (server, systems)
}

/// Moves everything that has happened so far back by so many days, as the service counts them.
fn move_back(server: &Server, days: u32) {
    server.db.execute(&format!("UPDATE backup_events SET at = at - {GRACE} - interval '{days} days'"));
}

/// Adds yesterday up as the service does within an hour after its end.
fn measure_yesterday(server: &Server) {
    let yesterday = day(server, 1).parse().expect("a date");
    server.db.execute(&format!(
        "DELETE FROM usage_days WHERE day = '{yesterday}'; DELETE FROM usage_days_added WHERE day = '{yesterday}'"
    ));
    let mut session = server.db.session();
    strongroom::db::usage_days::add_up(&mut session.conn, yesterday, true).expect("it is added up");
}

/// Waits until so many days are added up.
fn wait_for_days(server: &Server, days: i64) {
    assert_eventually("the days are added up", TIMEOUT * 2, || {
        server.db.number("SELECT count(*) FROM usage_days_added") == days
    });
}

/// Returns the day of so many days ago (UTC).
fn day(server: &Server, ago: u32) -> String {
    server.db.one(&format!("SELECT ((now() - {GRACE}) AT TIME ZONE 'UTC')::date - {ago}"))
}
