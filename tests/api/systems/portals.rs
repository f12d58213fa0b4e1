//! What portals ask about the fleet does not keep appliances from being served.

use crate::harness::{Database, Login, Server, TIMEOUT, assert_eventually, bytes, sample};

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
    let locked = Database::at(server.db.url());
    std::thread::scope(|scope| {
        locked.execute("BEGIN; LOCK TABLE usage_days IN ACCESS EXCLUSIVE MODE");
        let trends: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    server.manage("GET", "/api/systems/trend?days=7").bearer(&token).send().is_unavailable();
                })
            })
            .collect();
        assert_eventually("they wait", TIMEOUT, || connections(&server, "fleet") == 4);
        assert_eq!(connections(&server, "reads"), 0);
        server.store(&system, &bytes(10));
        server.store(&other, &bytes(10));
        for trend in trends {
            trend.join().expect("an answer");
        }
        locked.execute("ROLLBACK");
    });
    server.manage("GET", "/api/systems/trend?days=7").bearer(&token).send().status(200);
    // The limit of a statement was that of the request.
    let limits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strongroom' AND state = 'active' \
         AND datname = current_database() AND query LIKE '%usage_days%'";
    assert_eq!(server.db.number(limits), 0);
}
