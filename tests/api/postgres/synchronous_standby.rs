//! The synchronous standby is unavailable: commits take place on the primary and wait for it forever. No timeout
//! of Postgres ends that wait.

use std::time::{Duration, Instant};

use crate::harness::{
    BACKUPS, Cluster, Database, LinkFault, RawClient, Server, System, TIMEOUT, assert_eventually, bytes,
};
use crate::postgres::takeover::server_on;

/// How soon a client must have its answer after its last byte, and time for a busy machine.
const ANSWERED: Duration = Duration::from_secs(33);

/// Returns the number of sessions that wait in a commit of this statement.
fn waiting(cluster: &Cluster, statement: &str) -> i64 {
    Database::at(&cluster.url()).number(&format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%{statement}%'"
    ))
}

#[test]
fn health_reports_hanging_commits_with_one_session() {
    let Some(cluster) = Cluster::start_new() else { return };
    let (_link, server) = server_on(&cluster, 120);
    cluster.block_commits();
    assert_eventually("unhealthy", TIMEOUT, || server.get("/api/health").send().status == 503);
    // Each answer is cached for a second: these are several probes.
    let end = Instant::now() + Duration::from_secs(7);
    assert_eventually("some seconds pass", TIMEOUT, || {
        let health = server.get("/api/health").send();
        assert_eq!((health.status, &health.data()["database"]), (503, &"down".into()), "{health}");
        Instant::now() >= end
    });
    assert_eq!(waiting(&cluster, "strongroom.health"), 1);
    server.get("/api/health/live").send().status(200);
    cluster.unblock_commits();
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    assert_eq!(waiting(&cluster, "strongroom.health"), 0);
}

#[test]
fn health_probe_on_a_dead_connection_times_out() {
    let Some(cluster) = Cluster::start_new() else { return };
    let (link, server) = server_on(&cluster, 120);
    cluster.block_commits();
    assert_eventually("unhealthy", TIMEOUT, || server.get("/api/health").send().status == 503);
    assert_eq!(waiting(&cluster, "strongroom.health"), 1);
    // The answer to the probe will be lost, without an error.
    link.inject(LinkFault::PacketsLost);
    link.repair();
    cluster.unblock_commits();
    server.db.connect_again();
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
}

/// Uploads for each system: each is answered 503 in time, at whatever step it hangs.
fn uploads_are_unavailable(server: &Server, systems: &[System]) {
    std::thread::scope(|scope| {
        for system in systems {
            scope.spawn(|| {
                let start = Instant::now();
                server.put(system, &bytes(1000)).is_unavailable();
                assert!(start.elapsed() < ANSWERED, "{:?}", start.elapsed());
            });
        }
    });
}

#[test]
fn uploads_during_hanging_commits_are_503_and_nothing_is_lost() {
    let Some(cluster) = Cluster::start_new() else { return };
    let (_link, server) = server_on(&cluster, 5);
    let systems: Vec<_> = (0..12).map(|_| server.system()).collect();
    let kept: Vec<_> = systems.iter().map(|system| server.store(system, &bytes(1000))).collect();
    let mut raw = RawClient::upload(&server, &systems[0], &["Content-Length: 1000"]);
    raw.send(bytes(500));
    assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
    cluster.block_commits();
    std::thread::scope(|scope| {
        let half = scope.spawn(|| {
            raw.send(bytes(500));
            let start = Instant::now();
            raw.answer().is_unavailable();
            assert!(start.elapsed() < ANSWERED, "{:?}", start.elapsed());
        });
        uploads_are_unavailable(&server, &systems[1..]);
        half.join().expect("an answer");
    });
    // Requests for what the service has cached are answered all the time.
    server.get(BACKUPS).user(&systems[0]).send().status(200);
    cluster.unblock_commits();
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    // An upload that was answered 503 without a known outcome may be stored. The sweep finds one whose outcome
    // no process knows when it is a minute old.
    assert_eventually("nothing is being received", TIMEOUT * 6, || server.receiving() == 0);
    for (system, kept) in systems.iter().zip(&kept) {
        let ids = server.ids(system);
        assert!(ids.contains(kept) && ids.len() <= 2, "{ids:?}");
        let stored = i64::try_from(ids.len()).expect("few") * 1000;
        assert_eq!(server.totals(&system.org), (stored, 0));
        server.store(system, &bytes(1000));
    }
    server.audit_is_clean();
}
