//! An expired lease proves nothing if no process could renew its lease.

use std::time::{Duration, Instant};

use strongroom::db::writers;
use uuid::Uuid;

use crate::harness::{Cluster, Database, RawClient, Server, System, TIMEOUT, assert_eventually, bytes};
use crate::postgres::takeover::server_on;

/// Seconds. More than the steps of a test take between Postgres' return and the renewal of a lease.
const LEASE: u32 = 6;

fn half_an_upload(server: &Server, system: &System, open: i64) -> RawClient {
    let mut raw = RawClient::upload(server, system, &["Content-Length: 2000"]);
    raw.send(bytes(1000));
    assert_eventually("admitted", TIMEOUT, || server.receiving() == open);
    raw
}

/// Adds a writer whose lease ends in this many seconds. Returns the condition that its row exists: any sweep
/// deletes it.
fn add_writer(database: &Database, in_seconds: u32) -> String {
    let gone = Uuid::now_v7();
    database.execute(&format!(
        "INSERT INTO writers (process_id, lease_expires_at)
         VALUES ('{gone}', clock_timestamp() + interval '{in_seconds} seconds')"
    ));
    format!("EXISTS (SELECT FROM writers WHERE process_id = '{gone}')")
}

/// A standby that has been running for long takes over after an outage of more than two leases. Only one of the
/// processes renews its lease at once, and sweeps. Returns whether all that happened within a lease: if not, it
/// is right that uploads were aborted.
fn takeover_aborts_no_living_upload() -> bool {
    let Some(first) = Cluster::start_new() else { return true };
    let standby = first.start_standby();
    first.wait_for_standby();
    let (link, server) = server_on(&first, LEASE);
    let (sweeping, dying) = (server.sibling(), server.sibling());
    let system = server.system();
    let mut raw = half_an_upload(&server, &system, 1);
    let _lost = half_an_upload(&dying, &system, 2);
    dying.skip_audit();
    dying.kill();
    let gone = add_writer(&server.db, LEASE);
    first.die();
    server.signal(libc::SIGSTOP);
    let away = Database::at(&standby.url());
    assert_eventually(
        "every lease has been over for two more, and the standby has run for longer",
        TIMEOUT * 2,
        || {
            away.holds(&format!(
                "clock_timestamp() - (SELECT max(lease_expires_at) FROM writers) > interval '{} seconds'
             AND clock_timestamp() - pg_postmaster_start_time() > interval '{} seconds'",
                2 * LEASE + 1,
                2 * LEASE + 1
            ))
        },
    );
    let start = Instant::now();
    standby.promote();
    link.redirect_to(standby.socket());
    server.db.connect_again();
    assert_eventually("the other process has swept", TIMEOUT, || away.holds(&format!("NOT {gone}")));
    let receiving = server.receiving();
    server.signal(libc::SIGCONT);
    assert_eventually("all leases are renewed", TIMEOUT, || {
        away.number("SELECT count(*) FROM writers WHERE lease_expires_at > clock_timestamp()") == 2
    });
    if start.elapsed() > Duration::from_secs(LEASE.into()) {
        server.skip_audit();
        return false;
    }
    assert_eq!(receiving, 2, "aborted although no process could renew a lease");
    assert_eventually("the killed process's upload is aborted", TIMEOUT * 2, || server.receiving() == 1);
    raw.send(bytes(1000));
    let id = raw.answer().id();
    sweeping.fetch(&system, &id).send().status(200);
    server.audit_is_clean();
    true
}

#[test]
fn promoted_standby_aborts_no_living_upload() {
    assert!((0..3).any(|_| takeover_aborts_no_living_upload()), "the machine is too slow for this test");
}

#[test]
fn manual_sweep_after_an_outage_waits_until_living_processes_renew_their_leases() {
    let server = Server::builder().set("BACKUP_LEASE", 9).set("BACKUP_SWEEP_INTERVAL", 3600).start();
    let system = server.system();
    let mut raw = half_an_upload(&server, &system, 1);
    server.signal(libc::SIGSTOP);
    // As if the database had been unavailable for an hour.
    server.db.execute(
        "UPDATE writers SET lease_expires_at = lease_expires_at - interval '1 hour';
         UPDATE backups SET admitted_at = admitted_at - interval '1 hour'",
    );
    let swept = std::thread::scope(|scope| {
        let sweep = scope.spawn(|| server.cli(["sweep", "--json"]));
        assert_eventually("the command has a lease of its own", TIMEOUT, || {
            server.db.number("SELECT count(*) FROM writers") == 2
        });
        server.signal(libc::SIGCONT);
        sweep.join().expect("a command").exits(0).json()
    });
    assert_eq!(swept["uploads_taken_back"], 0, "{swept}");
    assert_eq!(server.db.number("SELECT count(*) FROM writers"), 1, "the command has released its lease");
    raw.send(bytes(1000));
    raw.answer().id();
}

#[test]
fn lease_is_unbroken_while_it_is_renewed_in_time() {
    let database = Database::new();
    let mut session = database.session();
    let process = Uuid::now_v7();
    let mut renew = || {
        writers::renew(&mut session.conn, process, Duration::from_secs(3600)).expect("renew");
        database.one("SELECT unbroken_since FROM writers")
    };
    let first = renew();
    assert_eq!(renew(), first);
    for gap in [
        "lease_expires_at = clock_timestamp() - interval '1 second'",
        // The clock was set back, or is that of another machine.
        "unbroken_since = clock_timestamp() + interval '1 hour'",
    ] {
        database.execute(&format!("UPDATE writers SET {gap}"));
        let after = renew();
        assert_ne!(after, first, "{gap}");
        let lately = "unbroken_since BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()";
        assert!(database.holds(&format!("EXISTS (SELECT FROM writers WHERE {lately})")), "{gap}");
        assert_eq!(renew(), after, "{gap}");
    }
}
