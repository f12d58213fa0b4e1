//! What portals ask about the fleet does not keep appliances from being served.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Database, Login, Server, TIMEOUT, bytes, eventually, sample};

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
