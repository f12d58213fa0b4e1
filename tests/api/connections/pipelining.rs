//! Requests that are sent before the answers to earlier ones: each gets the answer that it would get alone.

use crate::harness::{
    Answer, BACKUPS, Builder, Certificate, Disconnect, Login, REQUESTS, RawClient, Server, System, TIMEOUT,
    assert_eventually, bare_head, bytes, chunk, head, sample,
};

const UNKNOWN: &str = "/api/systems/backups/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg";

/// A request, and its expected answer.
struct Sent {
    name: &'static str,
    bytes: Vec<u8>,
    status: u16,
    is_head: bool,
}

fn sent(name: &'static str, head: &str, body: &[u8], status: u16) -> Sent {
    let is_head = head.starts_with("HEAD");
    Sent { name, bytes: [head.as_bytes(), body].concat(), status, is_head }
}

/// Returns one request of each kind of answer.
fn kinds(server: &Server, system: &System) -> Vec<Sent> {
    let one = format!("{BACKUPS}/{}", server.store(system, &bytes(20_000)));
    let chunks = [chunk(b"hello"), chunk(&bytes(3000)), chunk(b"")].concat();
    let stranger = System { secret: "wrong".to_owned(), ..system.clone() };
    let with = |method: &str, path: &str, line: &str| head(method, path, system, &[line]);
    vec![
        sent("list", &head("GET", BACKUPS, system, &[]), b"", 200),
        sent("list's head", &head("HEAD", BACKUPS, system, &[]), b"", 200),
        sent("download", &head("GET", &one, system, &[]), b"", 200),
        sent("part", &with("GET", &one, "Range: bytes=0-9"), b"", 206),
        sent("download's head", &head("HEAD", &one, system, &[]), b"", 200),
        sent("unknown path's head", &head("HEAD", "/nothing", system, &[]), b"", 404),
        sent("upload", &with("POST", BACKUPS, "Content-Length: 5"), b"hello", 201),
        sent("upload in chunks", &with("POST", BACKUPS, "Transfer-Encoding: chunked"), &chunks, 201),
        sent(
            "upload that waits",
            &head("POST", BACKUPS, system, &["Content-Length: 5", "Expect: 100-continue"]),
            b"hello",
            201,
        ),
        sent("stranger's upload", &head("POST", BACKUPS, &stranger, &["Content-Length: 5"]), b"hello", 401),
        sent("wrong method", &with("PUT", BACKUPS, "Content-Length: 5"), b"hello", 405),
        sent("deletion", &head("DELETE", UNKNOWN, system, &[]), b"", 404),
    ]
}

/// Builds a server that keeps all uploads.
fn unlimited() -> Builder {
    Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 10_000)
}

/// Reads an answer, and checks that it belongs to this request.
#[track_caller]
fn is_answered(raw: &mut RawClient, request: &Sent, among: &str) -> Answer {
    let answer = if request.is_head { raw.answer_to_head() } else { raw.answer() };
    assert_eq!(answer.status, request.status, "{} {among}: {answer}", request.name);
    let length: usize = answer.must_have("content-length").parse().expect("a length");
    assert!(length > 0, "{} {among}: {answer}", request.name);
    assert_eq!(answer.body.len(), if request.is_head { 0 } else { length }, "{} {among}", request.name);
    assert_eq!(answer.header("connection"), None, "{} {among}: {answer}", request.name);
    answer
}

fn every_pair_is_answered(server: &Server) {
    let system = server.system();
    let kinds = kinds(server, &system);
    for first in &kinds {
        for second in &kinds {
            let among = format!("in {} and {}", first.name, second.name);
            let mut raw = RawClient::to(server);
            raw.send([&first.bytes[..], &second.bytes].concat());
            is_answered(&mut raw, first, &among);
            is_answered(&mut raw, second, &among);
            raw.send(&kinds[0].bytes);
            is_answered(&mut raw, &kinds[0], &format!("after {among}"));
        }
    }
}

#[test]
fn pair_of_requests_in_one_write_is_answered_like_single_requests() {
    every_pair_is_answered(&unlimited().start());
}

#[test]
fn pair_of_requests_in_one_write_over_tls_is_answered_like_single_requests() {
    every_pair_is_answered(&unlimited().tls(&Certificate::new()).start());
}

#[test]
fn requests_that_arrive_in_pieces_are_answered_in_order() {
    let server = unlimited().start();
    let system = server.system();
    let mut kinds = kinds(&server, &system);
    // These are answered before their body has arrived, and so with `Connection: close`, if the next piece is
    // late.
    kinds.retain(|request| !["stranger's upload", "wrong method"].contains(&request.name));
    let all: Vec<u8> = kinds.iter().flat_map(|request| request.bytes.clone()).collect();
    for piece in [1, 7, 100, 1460, 100_000] {
        let mut raw = RawClient::to(&server);
        for part in all.chunks(piece) {
            raw.send(part);
        }
        for request in &kinds {
            is_answered(&mut raw, request, &format!("in pieces of {piece}"));
        }
    }
}

#[test]
fn pipelined_requests_beyond_the_read_ahead_are_all_answered() {
    let server = unlimited().start();
    let system = server.system();
    let kinds = kinds(&server, &system);
    let all: Vec<u8> = kinds.iter().flat_map(|request| request.bytes.clone()).collect();
    let mut raw = RawClient::to(&server);
    raw.send(all.repeat(10));
    raw.finish_sending();
    for turn in 0..10 {
        for request in &kinds {
            is_answered(&mut raw, request, &format!("in turn {turn}"));
        }
    }
    assert!(raw.is_closed(), "the client has ended its sending direction");
}

#[test]
fn requests_to_the_management_api_are_answered_in_order() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let mut raw = RawClient::to_management(&server);
    let requests =
        [("GET", "/docs"), ("HEAD", "/docs"), ("GET", "/backup/x"), ("HEAD", "/nothing"), ("GET", "/docs")];
    raw.send(requests.map(|(method, path)| bare_head(method, path, &[])).concat());
    for (method, path) in requests {
        let answer = if method == "HEAD" { raw.answer_to_head() } else { raw.answer() };
        assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {path}: {answer}");
        assert!(answer.must_have("content-length") != "0", "{method} {path}: {answer}");
    }
}

#[test]
fn request_after_connection_close_is_not_answered() {
    let server = Server::unlimited();
    let system = server.system();
    let id = server.store(&system, b"to be there afterwards");
    let deletion = head("DELETE", &format!("{BACKUPS}/{id}"), &system, &[]);
    let stranger = System { secret: "wrong".to_owned(), ..system.clone() };
    let big = bytes(3_000_000);
    for (first, body, status) in [
        (head("GET", BACKUPS, &system, &["Connection: close"]), &b""[..], 200),
        (head("GET", BACKUPS, &system, &[]).replace("HTTP/1.1", "HTTP/1.0"), b"", 200),
        (head("POST", BACKUPS, &system, &["Connection: close", "Content-Length: 5"]), b"hello", 201),
        // Answered before its body is read, so the server cannot know what follows it.
        (head("POST", BACKUPS, &stranger, &["Content-Length: 3000000"]), &big, 401),
    ] {
        for next in [deletion.as_str(), "GARBAGE\r\n\r\n"] {
            let mut raw = RawClient::to(&server);
            let _ = raw.try_send([first.as_bytes(), body, next.as_bytes()].concat());
            raw.end_sending();
            assert_eq!(raw.answer().status, status, "{first}");
            assert!(raw.try_status().is_err(), "a second answer to {next:?} after {first}");
        }
    }
    assert!(server.ids(&system).contains(&id));
}

#[test]
fn client_that_disconnects_with_a_pipelined_request_is_not_waited_for() {
    let server = Server::start();
    let system = server.system();
    let waiting = |expected: f64| {
        assert_eventually("the service has parsed the head", TIMEOUT, || {
            (sample(&server.metrics(), "strongroom_systems_waiting") - expected).abs() < 0.5
        });
    };
    let mut raw = RawClient::to(&server);
    let wait = head("GET", &format!("{REQUESTS}?wait=60"), &system, &[]);
    raw.send(format!("{wait}{}", head("GET", BACKUPS, &system, &[])));
    waiting(1.0);
    raw.disconnect(Disconnect::Rst);
    waiting(0.0);
}
