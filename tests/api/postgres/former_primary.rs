//! A former primary that runs again, and accepts writes, beside the new primary: the service does not use it.

use std::sync::Arc;

use crate::harness::{
    BACKUPS, Cluster, Database, Server, System, TIMEOUT, assert_eventually, bytes, eventually,
};
use crate::postgres::takeover::server_on;

fn backups(cluster: &Cluster) -> i64 {
    Database::at(&cluster.url()).number("SELECT count(*) FROM backups")
}

fn can_be_written_to(cluster: &Cluster) {
    let database = Database::at(&cluster.url());
    assert_eventually("the cluster accepts writes", TIMEOUT, || database.holds("NOT pg_is_in_recovery()"));
}

/// Returns a copy of the cluster that is promoted while the first one still runs.
fn two_primaries(first: &Cluster) -> Cluster {
    let second = first.start_standby();
    assert_eventually("the copy has caught up", TIMEOUT, || {
        let at = Database::at(&first.url()).one("SELECT pg_current_wal_lsn()");
        Database::at(&second.url()).holds(&format!("pg_last_wal_replay_lsn() >= '{at}'"))
    });
    second.promote();
    can_be_written_to(&second);
    second
}

fn is_refused(server: &Server, system: &System) {
    server.put(system, &bytes(1000)).is_unavailable();
    server.get(BACKUPS).user(system).send().is_unavailable();
    assert_eq!(server.get("/api/health").send().data()["database"], "down");
}

#[test]
fn former_primary_that_is_back_gets_no_queries() {
    let Some(first) = Cluster::start_new() else { return };
    let (link, server) = server_on(&first, 5);
    let system = server.system();
    server.store(&system, &bytes(1000));
    let second = two_primaries(&first);
    link.redirect_to(second.socket());
    server.db.connect_again();
    let id = server.store(&system, &bytes(1000));
    let before = backups(&first);
    link.redirect_to(first.socket());
    server.db.connect_again();
    for _ in 0..2 {
        is_refused(&server, &system);
    }
    assert_eq!(backups(&first), before);
    let log = server.log();
    let refused = "it is a former primary (it writes timeline 1, the newest is 2)";
    let lines = log.lines().filter(|line| line.contains("db::connector] ") && line.contains(refused));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "once a minute: {log}");
    assert!(lines[0].contains("not using 127.0.0.1:"), "it names the host: {log}");
    link.redirect_to(second.socket());
    server.db.connect_again();
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    assert!(server.ids(&system).contains(&id));
    server.store(&system, &bytes(1000));
    drop(server);
}

#[test]
fn sessions_on_a_former_primary_are_dropped_once_the_new_one_is_seen() {
    let Some(first) = Cluster::start_new() else { return };
    let (link, server) = server_on(&first, 5);
    let system = server.system();
    // The pool has many sessions.
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| server.list(&system));
        }
    });
    server.store(&system, &bytes(1000));
    let second = two_primaries(&first);
    link.redirect_new_connections_to(second.socket());
    // One session is lost; its next connection is to the new primary.
    let on_first = Database::at(&first.url());
    on_first.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE '%INTO writers%' AND pid <> pg_backend_pid()",
    );
    let on_second = Database::at(&second.url());
    assert_eventually("the new primary was seen", TIMEOUT, || {
        on_second.holds(
            "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'strongroom' AND query LIKE '%INTO writers%')",
        )
    });
    let before = backups(&first);
    let id = server.store(&system, &bytes(1000));
    assert_eq!(backups(&first), before);
    let uuid = id.strip_suffix(".bin").expect("no name, no extension");
    assert_eq!(on_second.number(&format!("SELECT count(*) FROM backups WHERE id = '{uuid}'")), 1);
    link.redirect_to(second.socket());
    server.db.connect_again();
    drop(server);
}

#[test]
fn newest_of_several_writable_hosts_is_the_primary() {
    let Some(first) = Cluster::start_new() else { return };
    {
        let (_link, server) = server_on(&first, 5);
        drop(server);
    }
    let second = two_primaries(&first);
    let url = format!(
        "postgres:///postgres?host={},{}&user=strongroom&target_session_attrs=read-write",
        first.host(),
        second.host()
    );
    let server =
        Server::builder().database(&Arc::new(Database::at(&second.url()))).set("DATABASE_URL", url).start();
    let system = server.system();
    server.store(&system, &bytes(1000));
    assert_eq!((backups(&first), backups(&second)), (0, 1));
    assert_eq!(
        Database::at(&first.url()).number("SELECT count(*) FROM organizations"),
        0,
        "commands use the new primary, too"
    );
    // The new primary is unavailable, and the old one answers.
    second.die();
    server.db.connect_again();
    server.skip_audit();
    server.put(&system, &bytes(1000)).is_unavailable();
    assert_eq!(backups(&first), 0);
}

#[test]
fn database_of_another_cluster_is_refused() {
    let Some(first) = Cluster::start_new() else { return };
    let (link, server) = server_on(&first, 5);
    let system = server.system();
    server.store(&system, &bytes(1000));
    let Some(other) = Cluster::start_new() else { return };
    // The tables must exist: without this check a wrong credential would be 401.
    {
        let (_link, server) = server_on(&other, 5);
        drop(server);
    }
    link.redirect_to(other.socket());
    for _ in 0..2 {
        is_refused(&server, &system);
    }
    assert!(server.log().contains("it is another cluster"), "{}", server.log());
    link.redirect_to(first.socket());
    assert!(eventually(TIMEOUT, || server.get("/api/health").send().status == 200));
    server.db.connect_again();
    server.store(&system, &bytes(1000));
}
