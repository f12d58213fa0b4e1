//! A system repeats uploads for which its organization's quota has no space.

use std::time::Instant;

use crate::harness::{Server, TIMEOUT, assert_eventually, bytes};

#[test]
fn loop_of_quota_refusals_does_not_starve_other_systems() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 1).start();
    let sibling = server.system_with_quota(1000);
    let greedy = server.add_system(&sibling.org, "greedy");
    server.store(&sibling, &bytes(1000));
    let (before, start) = (server.db.transactions(), Instant::now());
    std::thread::scope(|scope| {
        let looping: Vec<_> = (0..4)
            .map(|n| {
                let (server, greedy) = (&server, &greedy);
                scope.spawn(move || {
                    for _ in 0..100 {
                        server.put(greedy, &bytes(100 + n)).is_over_quota();
                    }
                    for _ in 0..50 {
                        server.upload(greedy).chunked(bytes(100)).send().is_over_quota();
                    }
                })
            })
            .collect();
        for _ in 0..5 {
            server.store(&sibling, &bytes(1000));
        }
        for thread in looping {
            thread.join().expect("all were refused");
        }
    });
    // Connections report their transactions when they end.
    assert!(server.stop_gracefully().success());
    let cost = server.db.transactions() - before;
    // Each second permits a few: a refused system may try again, credentials are looked up, tasks run.
    let seconds = i64::try_from(start.elapsed().as_secs()).expect("a short time");
    assert!(cost < 200 + 5 * seconds, "{cost} transactions for 600 refusals in {seconds} s");
}

#[test]
fn smaller_upload_is_admitted_right_after_a_refusal() {
    let server = Server::unlimited();
    let system = server.system_with_quota(1000);
    server.store(&system, &bytes(900));
    server.put(&system, &bytes(200)).is_over_quota();
    server.put(&system, &bytes(101)).is_over_quota();
    server.store(&system, &bytes(100));
}

#[test]
fn bytes_freed_by_the_system_are_available_at_once() {
    let server = Server::unlimited();
    let system = server.system_with_quota(1000);
    let id = server.store(&system, &bytes(900));
    server.put(&system, &bytes(200)).is_over_quota();
    server.delete(&system, &id).status(200);
    server.store(&system, &bytes(200));
}

#[test]
fn larger_upload_that_prunes_enough_is_admitted_right_after_a_refusal() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_SIZE_PER_SYSTEM", 1000).start();
    let system = server.system_with_quota(950);
    server.store(&system, &bytes(900));
    server.put(&system, &bytes(90)).is_over_quota();
    server.store(&system, &bytes(120));
    assert_eq!(server.totals(&system.org), (120, 0));
}

#[test]
fn bytes_freed_by_another_process_are_available_within_a_second() {
    let server = Server::unlimited();
    let system = server.system_with_quota(1000);
    server.store(&system, &bytes(900));
    server.put(&system, &bytes(200)).is_over_quota();
    server.cli(["org", "set-quota", &system.org, "2000"]).exits(0);
    assert_eventually("admitted", TIMEOUT, || server.put(&system, &bytes(200)).status == 201);
}
