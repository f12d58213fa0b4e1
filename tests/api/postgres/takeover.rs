//! A real Postgres that stops and starts again, or whose standby takes over, while uploads run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{
    BACKUPS, Cluster, Database, PostgresLink, RawClient, Server, System, TIMEOUT, assert_eventually, bytes,
};

/// How soon the service must work after Postgres has returned: two seconds, and time for a busy machine.
const RECOVERED: Duration = Duration::from_secs(15);

/// Starts a service on a cluster of its own, behind a link.
pub fn server_on(cluster: &Cluster, lease: u32) -> (PostgresLink, Server) {
    let link = PostgresLink::to(&Database::at(&cluster.url()));
    let server = Server::builder()
        .database(&Arc::new(Database::at(link.url())))
        .no_rate_limit()
        .set("BACKUP_MAX_PER_SYSTEM", 10_000)
        .set("BACKUP_LEASE", lease)
        .set("BACKUP_SWEEP_INTERVAL", 1)
        // The test holds an upload open while Postgres stops and starts.
        .set("BACKUP_BODY_IDLE_TIMEOUT", 600)
        .set("BACKUP_BODY_MIN_RATE", 0)
        .start();
    (link, server)
}

/// Uploads until `done`; returns the ids that were answered 201, and the number of 503.
fn upload_until(
    server: &Server,
    system: &System,
    done: &AtomicBool,
    stored: &AtomicUsize,
) -> (Vec<String>, u32) {
    let (mut ids, mut unavailable) = (vec![], 0);
    while !done.load(Ordering::Relaxed) {
        let answer = server.put(system, &bytes(1000));
        if answer.status == 503 {
            answer.is_unavailable();
            unavailable += 1;
        } else {
            ids.push(answer.id());
            stored.fetch_add(1, Ordering::Relaxed);
        }
    }
    (ids, unavailable)
}

#[test]
fn promoted_standby_has_every_upload_answered_201() {
    let Some(first) = Cluster::start_new() else { return };
    let standby = first.start_standby();
    first.wait_for_standby();
    let (link, server) = server_on(&first, 5);
    let systems: Vec<_> = (0..4).map(|_| server.system()).collect();
    let (done, stored) = (AtomicBool::new(false), AtomicUsize::new(0));
    let told: Vec<_> = std::thread::scope(|scope| {
        let start = |system| {
            let (server, done, stored) = (&server, &done, &stored);
            scope.spawn(move || upload_until(server, system, done, stored))
        };
        let appliances: Vec<_> = systems.iter().map(start).collect();
        let more = |count| {
            let so_far = stored.load(Ordering::Relaxed);
            assert_eventually("uploads are stored", TIMEOUT * 3, || {
                stored.load(Ordering::Relaxed) >= so_far + count
            });
        };
        more(40);
        first.die();
        standby.promote();
        link.redirect_to(standby.socket());
        let back = Instant::now();
        more(1);
        assert!(back.elapsed() < RECOVERED, "{:?}", back.elapsed());
        more(40);
        done.store(true, Ordering::Relaxed);
        appliances.into_iter().map(|appliance| appliance.join().expect("an appliance")).collect()
    });
    server.db.connect_again();
    for (system, (ids, unavailable)) in systems.iter().zip(&told) {
        let listed = server.ids(system);
        let lost: Vec<_> = ids.iter().filter(|id| !listed.contains(id)).collect();
        assert!(lost.is_empty(), "answered 201 and lost: {lost:?}");
        println!("{} stored, {} listed, {unavailable} times 503", ids.len(), listed.len());
        server.fetch(system, &ids[0]).send().status(200);
    }
    // The sweep finds an upload whose outcome no process knows when it is a minute old.
    assert_eventually("nothing is being received", TIMEOUT * 5, || server.receiving() == 0);
    for system in &systems {
        let stored = i64::try_from(server.ids(system).len()).expect("some");
        assert_eq!(server.totals(&system.org), (stored * 1000, 0));
    }
    server.audit_is_clean();
}

#[test]
fn service_on_a_standby_is_unhealthy_until_promotion() {
    let Some(first) = Cluster::start_new() else { return };
    let standby = first.start_standby();
    let (link, server) = server_on(&first, 5);
    let system = server.system();
    first.wait_for_standby();
    link.redirect_to(standby.socket());
    assert_eventually("unhealthy", TIMEOUT, || {
        let answer = server.get("/api/health").send();
        answer.status == 503 && answer.data() == serde_json::json!({ "database": "down", "store": "up" })
    });
    server.get(BACKUPS).user(&system).send().status(200);
    // Otherwise the commits of the new primary would wait for a standby.
    first.die();
    standby.promote();
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    server.db.connect_again();
    server.store(&system, &bytes(1000));
}

#[test]
fn restart_of_postgres_during_uploads_loses_none() {
    let Some(cluster) = Cluster::start_new() else { return };
    let (_link, server) = server_on(&cluster, 5);
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 2000"]);
    raw.send(bytes(1000));
    assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
    let (done, stored) = (AtomicBool::new(false), AtomicUsize::new(0));
    let other = server.system();
    let (ids, _) = std::thread::scope(|scope| {
        let appliance = scope.spawn(|| upload_until(&server, &other, &done, &stored));
        for round in 1..=2 {
            assert_eventually("uploads are stored", TIMEOUT * 3, || {
                stored.load(Ordering::Relaxed) >= round * 10
            });
            cluster.die();
            cluster.start();
        }
        let back = Instant::now();
        let so_far = stored.load(Ordering::Relaxed);
        assert_eventually("more are stored", TIMEOUT, || stored.load(Ordering::Relaxed) > so_far);
        assert!(back.elapsed() < RECOVERED, "{:?}", back.elapsed());
        done.store(true, Ordering::Relaxed);
        appliance.join().expect("an appliance")
    });
    server.db.connect_again();
    raw.send(bytes(1000));
    raw.answer().id();
    let listed = server.ids(&other);
    assert!(ids.iter().all(|id| listed.contains(id)), "{ids:?} {listed:?}");
    assert_eventually("nothing is being received", TIMEOUT * 5, || server.receiving() == 0);
    server.audit_is_clean();
}
