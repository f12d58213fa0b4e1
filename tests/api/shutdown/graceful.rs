//! SIGTERM: the server accepts nothing new, and finishes what was begun.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Builder, Certificate, RawClient, Server, TIMEOUT, assert_eventually, bytes, head};

/// How long a stopping server keeps an accepted connection that has sent nothing.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

fn with_tls() -> Builder {
    Server::builder().tls(&Certificate::new())
}

#[test]
fn upload_under_way_is_finished_before_the_exit() {
    stop_under_uploads(Server::builder());
}

#[test]
fn upload_under_way_over_tls_is_finished_before_the_exit() {
    stop_under_uploads(with_tls());
}

fn stop_under_uploads(builder: Builder) {
    let server = builder.start();
    let system = server.system();
    let mut known = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    let mut chunked = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    known.send("01234");
    chunked.send(crate::harness::chunk(b"01234"));
    assert_eventually("both were admitted", TIMEOUT, || server.receiving() == 2);
    server.signal(libc::SIGTERM);
    assert_eventually("new connections are refused", TIMEOUT, || {
        TcpStream::connect(server.address()).is_err()
    });
    known.send("56789");
    assert_eq!(known.answer().data()["size"], 10);
    chunked.send([crate::harness::chunk(b"56789"), crate::harness::chunk(b"")].concat());
    assert_eq!(chunked.answer().data()["size"], 10);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(server.totals(&system.org), (20, 0));
    assert_eq!(server.objects().len(), 2);
}

#[test]
fn idle_server_exits_at_once() {
    let server = Server::start();
    let system = server.system();
    let mut idle = RawClient::to(&server);
    idle.send(head("GET", crate::harness::BACKUPS, &system, &[]));
    idle.answer().status(200);
    let start = Instant::now();
    assert_eq!(server.stop_gracefully().code(), Some(0));
    assert!(start.elapsed() < TIMEOUT, "an idle connection delays nothing");
}

#[test]
fn upload_that_outlasts_the_shutdown_grace_is_aborted() {
    let server = Server::with([("SHUTDOWN_GRACE", "1")]);
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000000"]);
    raw.send(bytes(500_000));
    assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
    server.stop_gracefully();
    assert!(raw.try_answer().is_ok_and(|answer| answer.status != 201) || raw.is_closed());
    assert!(server.objects().is_empty());
    server.assert_nothing_left(&before);
}

#[test]
fn restarted_server_has_the_state_of_the_previous_one() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    assert_eq!(server.stop_gracefully().code(), Some(0));
    let next = server.sibling();
    assert_eq!(next.ids(&system), [id.as_str()]);
    let second = next.store(&system, b"y");
    assert!(second > id);
    assert_eq!(next.slots_used(&system), 2);
}

/// Sends request after request until connections are refused, on a new connection when an answer announces that
/// its own closes. Counts the answers.
///
/// A busy machine may delay a client for as long as the server waits for it: that request does not count as
/// lost.
fn send_until_refused(server: &Server, line: &str, answers: &AtomicUsize) {
    let mut stream: Option<RawClient> = None;
    loop {
        let begun = Instant::now();
        let mut raw = match stream.take().map_or_else(|| RawClient::try_to(server), Ok) {
            Ok(raw) => raw,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            Err(error) => panic!("neither a connection nor a refusal: {error}"),
        };
        let request = format!("GET /api/health/live HTTP/1.1\r\nHost: a\r\n{line}\r\n");
        let sent = raw.try_send(request);
        let late = begun.elapsed() >= FIRST_REQUEST;
        let answer = match sent.and_then(|()| raw.try_answer()) {
            Ok(answer) => answer.status(200),
            Err(_) if late => return,
            Err(error) => panic!("connected, and not answered: {error}"),
        };
        answers.fetch_add(1, Ordering::Relaxed);
        stream = (answer.header("connection") != Some("close")).then_some(raw);
    }
}

/// Stops servers that are busy with such requests.
fn stop_during_requests(builder: &Builder, line: &str) {
    for _ in 0..5 {
        let server = builder.clone().start();
        let answers = &AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let clients: Vec<_> =
                (0..16).map(|_| scope.spawn(|| send_until_refused(&server, line, answers))).collect();
            // Until all of them are at work.
            while answers.load(Ordering::Relaxed) <= 200 && clients.iter().any(|client| !client.is_finished())
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            server.signal(libc::SIGTERM);
            for client in clients {
                client.join().expect("answered or refused");
            }
            assert!(answers.load(Ordering::Relaxed) > 200);
        });
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn accepted_connections_are_answered_and_others_are_refused() {
    stop_during_requests(&Server::builder(), "Connection: close\r\n");
}

#[test]
fn kept_connections_get_connection_close_before_they_end() {
    stop_during_requests(&Server::builder(), "");
}

#[test]
fn accepted_connections_over_tls_are_answered() {
    stop_during_requests(&with_tls(), "Connection: close\r\n");
}

#[test]
fn kept_connections_over_tls_get_connection_close_before_they_end() {
    stop_during_requests(&with_tls(), "");
}

/// Sends a request and returns its answer, which must be 200. `None`: the request was sent too late to be sure of one.
fn answer_in_time(client: &mut (impl Read + Write), begun: Instant) -> Option<String> {
    let mut answer = String::new();
    let sent = client.write_all(b"GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n");
    let late = begun.elapsed() >= FIRST_REQUEST * 3 / 4;
    let _ = sent.and_then(|()| client.read_to_string(&mut answer));
    if late {
        return None;
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Some(answer)
}

/// Clients in the middle of a handshake when the server stops are answered. `false`: the test was too slow for
/// it, as it may be on a busy machine.
fn clients_in_a_handshake_are_answered() -> bool {
    let server = with_tls().start();
    let tls = server.certificate().expect("TLS");
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).expect("connect");
            stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
            let mut client = tls.client(stream.try_clone().expect("the same"));
            // The client has sent its first message, and not read the server's.
            client.conn.write_tls(&mut stream).expect("say hello");
            client
        })
        .collect();
    let begun = Instant::now();
    server.signal(libc::SIGTERM);
    assert_eventually("the server stops", TIMEOUT, || server.log().contains("stopping: "));
    for mut client in clients {
        if answer_in_time(&mut client, begun).is_none() {
            return false;
        }
    }
    assert_eq!(server.wait().code(), Some(0));
    true
}

#[test]
fn client_in_the_middle_of_a_handshake_is_answered() {
    assert!((0..10).any(|_| clients_in_a_handshake_are_answered()));
}

/// Finishes a handshake and sends a request after the listener is closed. `false`: the test was too slow for it.
fn handshake_after_the_listener_is_answered() -> bool {
    let server = with_tls().start();
    let tls = server.certificate().expect("TLS");
    let mut stream = TcpStream::connect(server.address()).expect("connect");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    let mut client = tls.client(stream.try_clone().expect("the same"));
    client.conn.write_tls(&mut stream).expect("say hello");
    server.signal(libc::SIGTERM);
    assert_eventually("new connections are refused", TIMEOUT, || {
        TcpStream::connect(server.address()).is_err()
    });
    let begun = Instant::now();
    let Some(answer) = answer_in_time(&mut client, begun) else { return false };
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
    true
}

#[test]
fn handshake_begun_before_the_stop_may_end_after_it_and_its_request_is_answered() {
    assert!((0..10).any(|_| handshake_after_the_listener_is_answered()));
}

#[test]
fn stalled_handshake_does_not_delay_the_stop_for_long() {
    let server = with_tls().start();
    let silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(server.address()).expect("connect")).collect();
    assert_eq!(server.stop_gracefully().code(), Some(0));
    drop(silent);
}
