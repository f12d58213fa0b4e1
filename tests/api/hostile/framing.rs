//! Bodies that end elsewhere than their head says, and heads that are not HTTP.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use crate::harness::{
    BACKUPS, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, chunk, eventually, head,
    sha256_hex,
};

/// Sends head and body in one piece: a server that closes with unread bytes may lose its answer.
fn at_once(server: &Server, system: &System, lines: &[&str], body: &[u8]) -> RawClient {
    let mut raw = RawClient::to(server);
    raw.send([head("POST", BACKUPS, system, lines).as_bytes(), body].concat());
    raw
}

#[test]
fn a_body_shorter_than_declared_is_not_stored() {
    let server = Server::unlimited();
    let system = server.system();
    for sent in [0, 1, 50_000, 99_999] {
        let before = server.snapshot();
        let mut raw = RawClient::upload(&server, &system, &["Content-Length: 100000"]);
        raw.send(bytes(sent));
        raw.finish_sending();
        if let Ok(answer) = raw.try_answer() {
            assert!((400..500).contains(&answer.status), "{sent} of 100000 bytes: {answer}");
        }
        server.assert_nothing_left(&before);
    }
}

#[test]
fn chunked_body_without_its_last_chunk_is_not_stored() {
    let server = Server::unlimited();
    let system = server.system();
    let unfinished = [chunk(&bytes(50_000)), chunk(&bytes(50_000))[..20_000].to_vec()].concat();
    for sent in [chunk(&bytes(50_000)), unfinished, b"5\r\nhello".to_vec(), b"5\r\nhello\r\n0\r\n".to_vec()] {
        let before = server.snapshot();
        let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
        raw.send(&sent);
        raw.finish_sending();
        if let Ok(answer) = raw.try_answer() {
            assert!((400..500).contains(&answer.status), "{answer}");
        }
        server.assert_nothing_left(&before);
    }
}

#[test]
fn malformed_chunks_are_refused_and_leave_nothing() {
    let server = Server::unlimited();
    let system = server.system();
    for broken in
        ["ZZ\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "fffffffffffffffff\r\n", "\r\n\r\n"]
    {
        for lead in [Vec::new(), chunk(&bytes(5000))] {
            let before = server.snapshot();
            let body = [&lead[..], broken.as_bytes()].concat();
            let answer = at_once(&server, &system, &["Transfer-Encoding: chunked"], &body).answer();
            answer.status(400).is_validation_error("body");
            server.assert_nothing_left(&before);
        }
    }
}

#[test]
fn chunk_extensions_and_trailers_are_not_part_of_the_backup() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    raw.send("5;name=value\r\nhello\r\n6;x\r\n world\r\n0\r\n\r\n");
    assert_eq!(raw.answer().data()["sha256"], sha256_hex(b"hello world"));
}

#[test]
fn content_length_beside_chunked_encoding_is_refused() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    for lines in [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 100"],
    ] {
        let mut raw = at_once(&server, &system, &lines, &[chunk(b"hello"), chunk(b"")].concat());
        assert_eq!(raw.answer().status, 400);
    }
    server.assert_nothing_left(&before);
}

#[test]
fn malformed_content_lengths_are_refused() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    for (key, lines) in [
        ("content-length", &["Content-Length: 5", "Content-Length: 6"][..]),
        ("content-length", &["Content-Length: -1"]),
        ("content-length", &["Content-Length: five"]),
        ("content-length", &["Content-Length: 99999999999999999999999"]),
        ("transfer-encoding", &["Transfer-Encoding: identity, banana"]),
        ("transfer-encoding", &["Transfer-Encoding: gzip, chunked"]),
    ] {
        at_once(&server, &system, lines, b"hello").answer().status(400).is_validation_error(key);
    }
    server.assert_refused(&before, &system, 0);
}

#[test]
fn bytes_that_are_not_http_are_answered_with_an_error() {
    let server = Server::start();
    for garbage in
        ["GARBAGE\r\n\r\n", "GET\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"]
    {
        let mut raw = RawClient::to(&server);
        raw.send(garbage);
        raw.answer().status(400).is_validation_error("head");
    }
    let mut raw = RawClient::to(&server);
    let long = format!("GET /api/health HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n", "a".repeat(1_000_000));
    let _ = raw.try_send(long);
    raw.answer().status(431);
    server.get("/api/health").send().status(200);
}

#[test]
fn bytes_after_the_declared_length_are_not_part_of_the_backup() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 5"]);
    raw.send("hello, and more than was said");
    if let Ok(answer) = raw.try_answer()
        && answer.status == 201
    {
        assert_eq!(answer.data()["sha256"], sha256_hex(b"hello"));
    }
    assert_eventually("no upload is left open", TIMEOUT, || server.receiving() == 0);
    assert!(server.list(&system).iter().all(|backup| backup["size"] == 5));
}

#[test]
fn two_requests_in_one_write_are_answered_in_order() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::to(&server);
    let first = head("POST", BACKUPS, &system, &["Content-Length: 3"]);
    raw.send(format!("{first}one{}", head("GET", BACKUPS, &system, &[])));
    let id = raw.answer().id();
    assert_eq!(raw.answer().status(200).data()["backups"][0]["id"], id.as_str());
}

#[test]
fn client_that_shuts_down_its_write_side_is_answered() {
    let server = Server::unlimited();
    let system = server.system();
    let chunked = [chunk(b"hello"), chunk(b"")].concat();
    for (line, body) in [("Content-Length: 5", b"hello".to_vec()), ("Transfer-Encoding: chunked", chunked)] {
        let mut raw = RawClient::upload(&server, &system, &[line]);
        raw.send(body);
        raw.finish_sending();
        raw.answer().id();
    }
}

#[test]
fn client_that_shuts_down_its_write_side_during_a_wait_is_answered() {
    let server = Server::unlimited();
    let system = server.system();
    let lock = format!("BEGIN; SELECT FROM systems WHERE id = '{}' FOR UPDATE", system.id);
    for length in [1000, 300_000, 2_000_000] {
        let (body, mut other) = (bytes(length), PgConnection::establish(server.db.url()).expect("connect"));
        other.batch_execute(&lock).expect("lock");
        let mut raw = RawClient::upload(&server, &system, &[&format!("Content-Length: {length}")]);
        let mut raw = std::thread::scope(|scope| {
            let sent = &body;
            let sender = scope.spawn(move || {
                raw.send(sent);
                raw.finish_sending();
                raw
            });
            assert_eventually("it waits", TIMEOUT, || server.db.waits_for_a_lock());
            // The kernel accepts all of it, unless its buffers are small.
            eventually(Duration::from_millis(500), || sender.is_finished());
            other.batch_execute("ROLLBACK").expect("unlock");
            sender.join().expect("all is sent")
        });
        let id = raw.answer().id();
        assert!(server.fetch(&system, &id).send().status(200).body == body, "{length} bytes");
        assert!(raw.is_closed(), "{length} bytes: nothing more comes");
    }
}

#[test]
fn http_1_0_client_is_served() {
    let server = Server::start();
    let system = server.system();
    let file = tempfile::NamedTempFile::new().expect("make a file");
    std::fs::write(file.path(), "hello").expect("fill it");
    let sent = crate::harness::Curl::upload(&server, &system).args(["--http1.0"]).known(file.path()).run();
    let id = sent.arrived("HTTP/1.0").id();
    let mut raw = RawClient::to(&server);
    let request = head("GET", &format!("{BACKUPS}/{id}"), &system, &[]);
    raw.send(request.replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(raw.answer().status(200).body, b"hello");
    assert!(raw.is_closed());
}
