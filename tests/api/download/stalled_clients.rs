//! Clients that stop reading a download, or read too slowly: they hold its resources for a limited time only.

use std::fs;
use std::time::{Duration, Instant};

use crate::harness::{
    Builder, Certificate, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, head, wait_for,
};

/// More than the buffers of both ends of a connection hold.
pub const LARGE: usize = 24 << 20;

/// Returns a system with a large backup, and the backup's id.
pub fn large_backup(server: &Server) -> (System, String) {
    let system = server.system();
    let id = server.store(&system, &bytes(LARGE));
    (system, id)
}

/// Begins a download that the client does not read.
pub fn stalled(server: &Server, system: &System, id: &str) -> RawClient {
    let mut raw = RawClient::to(server);
    raw.send(head("GET", &format!("/api/systems/backups/{id}"), system, &[]));
    raw
}

/// Returns how many descriptors the process has open on this backup's file, also if it is deleted.
pub fn descriptors(server: &Server, id: &str) -> usize {
    let all = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the descriptors of a process");
    let files = all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    files.filter(|file| file.to_string_lossy().contains(id)).count()
}

/// Long enough for all steps of a test before a client may be aborted, also on a busy machine.
fn idle_for(seconds: u64) -> Builder {
    Server::builder().no_rate_limit().set("BACKUP_BODY_IDLE_TIMEOUT", seconds)
}

#[track_caller]
fn is_given_up(builder: &Builder) {
    let server = builder.clone().start();
    let (system, id) = large_backup(&server);
    let mut wires: Vec<RawClient> = (0..3).map(|_| stalled(&server, &system, &id)).collect();
    assert_eventually("the object is opened", TIMEOUT, || descriptors(&server, &id) == 3);
    // The file is deleted, and its disk space is in use until the last descriptor is closed.
    server.delete(&system, &id).status(200);
    assert_eventually("the download is aborted", TIMEOUT, || descriptors(&server, &id) == 0);
    for raw in &mut wires {
        assert!(raw.try_answer().is_err(), "a cut answer must not look complete");
    }
    // One line a minute for all clients at one address.
    let told = server.log().matches("BACKUP_BODY_IDLE_TIMEOUT").count();
    assert!((1..=2).contains(&told), "{}", server.log());
}

#[test]
fn download_is_aborted_when_the_client_reads_nothing() {
    needs_a_folder!();
    is_given_up(&idle_for(10));
}

#[test]
fn download_over_tls_is_aborted_when_the_client_reads_nothing() {
    needs_a_folder!();
    is_given_up(&idle_for(10).tls(&Certificate::new()));
}

#[test]
fn download_by_a_slow_client_that_keeps_reading_continues() {
    let server = idle_for(8).start();
    let (system, id) = large_backup(&server);
    let mut raw = stalled(&server, &system, &id);
    let start = Instant::now();
    // For longer than the idle timeout. The buffers on the way are filled again only when much of them is free.
    while start.elapsed() < Duration::from_secs(30) {
        raw.try_read(32 << 10).expect("the next bytes");
        wait_for(Duration::from_millis(200));
    }
    let rest = LARGE / 2;
    raw.try_read(rest).expect("the rest at full speed");
}

#[test]
fn download_below_the_minimum_rate_is_aborted_within_a_minute() {
    let server = Server::builder().no_rate_limit().set("BACKUP_BODY_MIN_RATE", 10_000_000).start();
    let (system, id) = large_backup(&server);
    let mut raw = stalled(&server, &system, &id);
    let start = Instant::now();
    let mut taken = 0;
    while raw.try_read(16 << 10).is_ok() {
        taken += 16 << 10;
        assert!(start.elapsed() < TIMEOUT * 6, "still served at 80 KiB a second");
        // The bytes that were on their way at the abort can still be read.
        if !server.log().contains("BACKUP_BODY_MIN_RATE") {
            wait_for(Duration::from_millis(200));
        }
    }
    assert!(taken < LARGE);
    assert!(
        start.elapsed() > Duration::from_secs(10),
        "aborted after {:?}, before the minute was over",
        start.elapsed()
    );
    assert!(server.log().contains("BACKUP_BODY_MIN_RATE"), "{}", server.log());
}

#[test]
fn shutdown_ends_downloads_of_clients_that_read_nothing() {
    let graceful = idle_for(10);
    let cut = idle_for(600).set("SHUTDOWN_GRACE", 1);
    for builder in [graceful, cut] {
        let server = builder.start();
        let (system, id) = large_backup(&server);
        let _wires: Vec<RawClient> = (0..4).map(|_| stalled(&server, &system, &id)).collect();
        let open = || crate::harness::sample(&server.metrics(), "strongroom_downloads_open") >= 4.0;
        assert_eventually("they are under way", TIMEOUT, open);
        assert_eq!(server.stop_gracefully().code(), Some(0));
    }
}
