//! Clients that disconnect before their answer: nothing may be left of them soon after.

use crate::harness::{
    Builder, Certificate, Disconnect, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, chunk,
};

const LEN: usize = 1_000_000;
const SHARES: [usize; 3] = [0, 50, 99];

/// Sends this many percent of a body, and disconnects when the upload is admitted.
fn disconnect(server: &Server, system: &System, how: Disconnect, percent: usize, chunked: bool) {
    let before = server.snapshot();
    let length = format!("Content-Length: {LEN}");
    let line = if chunked { "Transfer-Encoding: chunked" } else { &length };
    let mut raw = RawClient::upload(server, system, &[line]);
    let body = bytes(LEN / 100 * percent);
    for part in body.chunks(100_000) {
        raw.send(if chunked { chunk(part) } else { part.to_vec() });
    }
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    raw.disconnect(how);
    server.assert_nothing_left(&before);
}

fn with_tls() -> Builder {
    Server::builder().no_rate_limit().tls(&Certificate::new())
}

fn disconnect_in_every_way(server: &Server) {
    let system = server.system();
    for how in [Disconnect::Fin, Disconnect::Rst] {
        for percent in SHARES {
            for chunked in [false, true] {
                disconnect(server, &system, how, percent, chunked);
            }
        }
    }
    assert!(server.objects().is_empty());
    assert_eq!(server.totals(&system.org), (0, 0));
    server.store(&system, b"the next upload is welcome");
}

#[test]
fn client_disconnect_leaves_nothing() {
    disconnect_in_every_way(&Server::unlimited());
}

#[test]
fn client_disconnect_over_tls_leaves_nothing() {
    disconnect_in_every_way(&with_tls().start());
}

#[test]
fn client_disconnect_costs_one_slot() {
    let server = Server::start();
    let system = server.system();
    disconnect(&server, &system, Disconnect::Rst, 50, false);
    assert_eq!(server.slots_used(&system), 1, "otherwise a disconnect would evade the rate limit");
}

#[test]
fn four_client_disconnects_do_not_lock_the_system_out() {
    disconnects_lock_no_system_out(&Server::unlimited());
}

#[test]
fn four_client_disconnects_over_tls_do_not_lock_the_system_out() {
    disconnects_lock_no_system_out(&with_tls().start());
}

fn disconnects_lock_no_system_out(server: &Server) {
    let system = server.system();
    for how in [Disconnect::Fin, Disconnect::Rst] {
        let open: Vec<RawClient> =
            (0..4).map(|_| RawClient::upload(server, &system, &["Content-Length: 9"])).collect();
        assert_eventually("all were admitted", TIMEOUT, || server.receiving() == 4);
        for raw in open {
            raw.disconnect(how);
        }
        assert_eventually("uploads are possible again", TIMEOUT, || server.put(&system, b"x").status == 201);
    }
}

#[test]
fn client_disconnect_before_the_answer_stores_the_backup_or_nothing() {
    upload_is_stored_whole_or_not_at_all(&Server::unlimited());
}

#[test]
fn client_disconnect_over_tls_before_the_answer_stores_the_backup_or_nothing() {
    upload_is_stored_whole_or_not_at_all(&with_tls().start());
}

fn upload_is_stored_whole_or_not_at_all(server: &Server) {
    let system = server.system();
    for how in [Disconnect::Rst, Disconnect::Fin] {
        for chunked in [false, true] {
            let line = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 1000" };
            let body = bytes(1000);
            let body = if chunked { [chunk(&body), chunk(b"")].concat() } else { body };
            let mut raw = RawClient::upload(server, &system, &[line]);
            raw.send(body);
            raw.disconnect(how);
        }
    }
    assert_eventually("all uploads have ended", TIMEOUT, || server.receiving() == 0);
    let rows = || server.db.all("SELECT object_key FROM backups WHERE state = 'stored' ORDER BY object_key");
    assert_eventually("objects are those of the rows", TIMEOUT, || server.objects().into_iter().eq(rows()));
    assert_eventually("no part of a body is left", TIMEOUT, || server.temporary().is_empty());
    for id in server.ids(&system) {
        assert_eq!(server.fetch(&system, &id).send().status(200).body.len(), 1000);
    }
}
