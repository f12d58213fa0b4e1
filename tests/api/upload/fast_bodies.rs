//! Large bodies that arrive fast: the store writes them on another thread than the one that receives them.

use crate::harness::{Disconnect, RawClient, Server, TIMEOUT, assert_eventually, bytes};

/// Larger than what the store receives before it writes a body in this way.
const LEN: usize = 40_000_001;

#[test]
fn fast_body_is_returned_as_it_was_sent() {
    let server = Server::unlimited();
    let system = server.system();
    let body = bytes(LEN);
    let stored = server.put(&system, &body).status(201);
    let chunked = server.upload(&system).chunked(body.clone()).send().status(201);
    assert_eq!(stored.data()["sha256"], chunked.data()["sha256"]);
    for answer in [stored, chunked] {
        let id = answer.data()["id"].as_str().expect("an id").to_owned();
        assert!(server.fetch(&system, &id).send().status(200).body == body);
    }
}

#[test]
fn full_disk_in_a_fast_body_is_503_and_leaves_nothing() {
    needs_a_folder!();
    needs_mounts!();
    let server = Server::builder().disk("24m").no_rate_limit().start();
    let system = server.system();
    let before = server.snapshot();
    let body = bytes(LEN);
    server.put(&system, &body).is_unavailable();
    server.assert_nothing_left(&before);
    let before = server.snapshot();
    server.upload(&system).chunked(body.clone()).send().is_unavailable();
    server.assert_nothing_left(&before);
    server.store(&system, &body[..16_000_000]);
}

#[test]
fn client_that_disconnects_in_a_fast_body_leaves_nothing() {
    let server = Server::unlimited();
    let system = server.system();
    for how in [Disconnect::Fin, Disconnect::Rst] {
        let before = server.snapshot();
        let mut raw = RawClient::upload(&server, &system, &[&format!("Content-Length: {LEN}")]);
        raw.send(&bytes(LEN)[1..]);
        assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
        raw.disconnect(how);
        server.assert_nothing_left(&before);
    }
    assert!(server.objects().is_empty());
    assert_eq!(server.totals(&system.org), (0, 0));
}
