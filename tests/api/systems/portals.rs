//! What portals ask about the fleet does not keep appliances from being served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::RunQueryDsl as _;
use diesel::dsl::sql;
use diesel::sql_types::Text;
use strongroom::db::{Connector, Db, Lane};

use crate::harness::{Database, Login, Server, TIMEOUT, assert_eventually, bytes, eventually, sample};

fn connections(server: &Server, lane: &str) -> u64 {
    let used = sample(&server.metrics(), &format!("strongroom_database_connections_used{{lane=\"{lane}\"}}"));
    format!("{used}").parse().expect("a whole number")
}

#[test]
fn slow_queries_of_portals_use_no_connection_of_the_appliances() {
    let login = Login::new();
    let server = Server::builder().login(&login).no_rate_limit().start();
    let (system, other) = (server.system(), server.system());
    let token = login.token(&system.org, "backup:view");
    let trend = || server.manage("GET", "/api/systems/trend?days=7").bearer(&token).send();
    let locked = Database::at(server.db.url());
    locked.execute("BEGIN; LOCK TABLE usage_days IN ACCESS EXCLUSIVE MODE");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    trend();
                }
            });
        }
        let wait = || {
            eventually(TIMEOUT, || (connections(&server, "fleet"), connections(&server, "reads")) == (4, 0))
        };
        let waited = wait();
        let stored = [&system, &other].map(|system| server.put(system, &bytes(10)).status);
        let waited_on = wait();
        done.store(true, Ordering::Relaxed);
        locked.execute("ROLLBACK");
        assert!(waited && waited_on, "they wait for connections of their own");
        assert_eq!(stored, [201, 201]);
    });
    trend().status(200);
}

#[test]
fn statement_of_a_portal_ends_at_its_deadline_and_its_limit_with_it() {
    let database = Database::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = Db::new(Connector::new(database.url()).expect("a URL"), runtime.handle().clone());
    let run = |lane: Lane, query: &'static str| {
        let work = move |conn: &mut _| Ok(diesel::select(sql::<Text>(query)).get_result::<String>(conn)?);
        runtime.block_on(db.run(lane, Duration::from_secs(2), work))
    };
    let limit = "current_setting('statement_timeout')";
    // The same connection each time.
    assert_eq!(run(Lane::General, limit).expect("a limit"), "10s");
    assert_ne!(run(Lane::Fleet, limit).expect("a limit"), "10s");
    assert_eq!(run(Lane::General, limit).expect("a limit"), "10s");
    run(Lane::Fleet, "pg_sleep(60)::text").expect_err("it takes too long");
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)%' \
         AND pid <> pg_backend_pid()";
    assert_eventually("Postgres has ended it", TIMEOUT, || database.number(asleep) == 0);
    assert_eq!(run(Lane::General, limit).expect("a limit"), "10s");
}
