//! `audit --store` and `sweep --orphans` while rows and objects change at the worst moment: a proxy to the
//! engine holds a listing until the change has happened.

use std::thread;

use crate::engine::{Bucket, Fault, Proxy};
use crate::harness::{Output, Server, TIMEOUT, assert_eventually, bytes};

/// A server on a bucket, and the proxy between them. The server must be dropped first.
fn on_a_link() -> (Bucket, Proxy, Server) {
    let bucket = Bucket::new();
    let link = Proxy::new(&bucket.endpoint);
    let server = Server::builder().bucket(&bucket, &link.endpoint()).start();
    (bucket, link, server)
}

fn lists_all(line: &str) -> bool {
    line.contains("list-type") && !line.contains("prefix=")
}

fn requests_a_head(line: &str) -> bool {
    line.starts_with("HEAD ")
}

/// Runs a command, and `meanwhile` while its first matching listing is held.
fn held<const N: usize>(
    server: &Server,
    link: &Proxy,
    (fault, listing): (Fault, fn(&str) -> bool),
    command: [&str; N],
    meanwhile: impl FnOnce(),
) -> Output {
    link.inject(fault, listing);
    thread::scope(|scope| {
        let output = scope.spawn(|| server.cli(command));
        assert_eventually("a listing is held", TIMEOUT, || link.held() > 0);
        meanwhile();
        link.repair();
        output.join().expect("it ends")
    })
}

fn rows(server: &Server) -> i64 {
    server.db.number("SELECT count(*) FROM backups")
}

#[test]
fn audit_does_not_report_a_backup_deleted_after_its_row_was_read() {
    let (_bucket, link, server) = on_a_link();
    let system = server.system();
    server.store(&system, &bytes(10));
    let audit = held(&server, &link, (Fault::AnswerHeld, lists_all), ["audit", "--store"], || {
        // Not in the listing that is held.
        let id = server.store(&system, &bytes(20));
        link.inject(Fault::RequestHeld, requests_a_head);
        assert_eventually("its row was read, and the engine gets a request for it", TIMEOUT, || {
            link.held() > 0
        });
        server.delete(&system, &id).status(200);
        assert_eventually("its row is gone", TIMEOUT, || rows(&server) == 1);
    });
    audit.exits(0).says("stored backups: 2, objects: 1");
}

#[test]
fn audit_lists_the_bucket_once_for_any_number_of_systems() {
    let (_bucket, link, server) = on_a_link();
    for _ in 0..5 {
        server.store(&server.system(), &bytes(10));
    }
    link.inject(Fault::Error500Once, |line| line.contains("list-type"));
    server.cli(["audit", "--store"]).exits(0).says("stored backups: 5, objects: 5");
    assert_eq!(link.repair(), 2, "one that failed, and one that was repeated");
}

#[test]
fn object_deleted_after_it_was_listed_is_no_orphan() {
    let (_bucket, link, server) = on_a_link();
    let system = server.system();
    let id = server.store(&system, &bytes(10));
    let audit = held(&server, &link, (Fault::AnswerHeld, lists_all), ["audit", "--store"], || {
        server.delete(&system, &id).status(200);
        assert_eventually("its row is gone", TIMEOUT, || rows(&server) == 0);
    });
    audit.exits(0).says("stored backups: 0, objects: 1");
}

#[test]
fn object_stored_during_the_listing_is_no_orphan() {
    let (bucket, link, server) = on_a_link();
    let system = server.system();
    let command = ["sweep", "--orphans", "--older-than", "0s", "--force", "--json"];
    for fault in [Fault::RequestHeld, Fault::AnswerHeld] {
        let before = bucket.keys().len();
        let sweep = held(&server, &link, (fault, lists_all), command, || {
            server.store(&system, &bytes(10));
        });
        assert_eq!(sweep.exits(0).json()["orphans_deleted"], 0);
        assert_eq!(bucket.keys().len(), before + 1);
    }
}
