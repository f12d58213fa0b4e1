//! Connections to a TLS listener that have not sent a request yet.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{
    Builder, Certificate, Curl, Disconnect, RawClient, Server, TIMEOUT, allow_descriptors, assert_eventually,
    bytes, sample,
};

/// The timeout of a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The first bytes of a handshake: the header of a record, and a message that never ends.
const HALF_A_HELLO: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 252];

fn with_tls() -> Builder {
    Server::builder().tls(&Certificate::new())
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    stream
}

/// Whether the server has neither sent anything nor closed the connection.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("not wait");
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Waits until the server closes the connection; returns the bytes that it sent before.
fn read_to_the_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("still open: {error}"),
        _ => read,
    }
}

fn handshakes(server: &Server, result: &str) -> f64 {
    sample(
        &server.metrics(),
        &format!(r#"strongroom_tls_handshakes_total{{api="collect",result="{result}"}}"#),
    )
}

#[track_caller]
fn counted(server: &Server, result: &str, times: u32) {
    let reached = || (handshakes(server, result) - f64::from(times)).abs() < 0.5;
    assert_eventually(&format!("{times} handshakes have ended as {result}"), TIMEOUT, reached);
}

/// Returns the number of log lines about handshakes; the log must have no error.
fn lines_about_handshakes(server: &Server) -> usize {
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
    log.matches("TLS handshake with ").count()
}

/// Uploads while thousands of connections hang in their handshake. `false`: the test was too slow to see it.
fn upload_succeeds_beside(address: &str, server: &Server, said: &[u8]) -> bool {
    let begun = Instant::now();
    let strangers: Vec<TcpStream> = (0..2000)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(said).expect("send");
            stream
        })
        .collect();
    let system = server.system();
    let mut raw = RawClient::upload(server, &system, &["Content-Length: 1000"]);
    raw.send(bytes(1000));
    raw.answer().id();
    // No connection was closed in favour of the upload.
    begun.elapsed() < HANDSHAKE && strangers.iter().all(is_open)
}

#[test]
fn thousands_of_silent_connections_do_not_delay_an_upload() {
    allow_descriptors(4096);
    let server = with_tls().no_rate_limit().start();
    assert!((0..5).any(|_| upload_succeeds_beside(server.address(), &server, b"")));
}

#[test]
fn thousands_of_stalled_handshakes_do_not_delay_an_upload() {
    allow_descriptors(4096);
    let server = with_tls().no_rate_limit().start();
    assert!((0..5).any(|_| upload_succeeds_beside(server.address(), &server, &HALF_A_HELLO)));
}

/// The management API speaks TLS on an address that other machines can reach.
#[test]
fn silent_connections_do_not_delay_the_management_api() {
    allow_descriptors(4096);
    let server = with_tls().set("MANAGEMENT_LISTEN_ADDRESS", "0.0.0.0:0").start();
    let url = server.management_url("/docs");
    assert!(url.starts_with("https://"), "{url}");
    let address = server.management_url("").replace("https://", "");
    let is_answered_beside = || {
        let begun = Instant::now();
        let strangers: Vec<TcpStream> = (0..2000).map(|_| connect(&address)).collect();
        assert_eq!(Curl::new().args(["--insecure", &url]).run().answer.status, 200);
        begun.elapsed() < HANDSHAKE && strangers.iter().all(is_open)
    };
    assert!((0..5).any(|_| is_answered_beside()));
}

#[test]
fn stalled_handshake_times_out_and_is_counted() {
    let server = with_tls().start();
    let strangers: Vec<TcpStream> = [&b""[..], &HALF_A_HELLO]
        .into_iter()
        .cycle()
        .take(20)
        .map(|said| {
            let mut stream = connect(server.address());
            stream.write_all(said).expect("send");
            stream
        })
        .collect();
    let open = || sample(&server.metrics(), r#"strongroom_tls_handshakes_open{api="collect"}"#);
    assert_eventually("they are shown", TIMEOUT, || open() > 0.0);
    for stream in &strangers {
        assert!(read_to_the_end(stream).is_empty());
    }
    counted(&server, "timeout", 20);
    assert_eventually("none is open any more", TIMEOUT, || open() < 0.5);
    // There is a second line if a minute has ended meanwhile.
    assert!((1..=2).contains(&lines_about_handshakes(&server)), "{}", server.log());
}

#[test]
fn plain_http_on_a_tls_port_is_not_served_and_logged_once_a_minute() {
    let server = with_tls().start();
    for request in ["GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n", "POST /api/systems/backups HTTP/1.1\r\n"] {
        for _ in 0..10 {
            let mut stream = connect(server.address());
            stream.write_all(request.as_bytes()).expect("send");
            assert!(!read_to_the_end(&stream).starts_with(b"HTTP/"));
        }
    }
    counted(&server, "plain_http", 20);
    // There is a second line if a minute has ended meanwhile.
    assert!((1..=2).contains(&lines_about_handshakes(&server)), "{}", server.log());
    assert!(server.log().contains("its URL has to begin with https://"), "{}", server.log());
}

#[test]
fn garbage_and_alerts_are_not_served_and_logged_once_a_minute() {
    let server = with_tls().start();
    let hello_of_ssl_2 = [0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10];
    let alert = [21, 3, 1, 0, 2, 2, 48];
    let hello_of_nonsense = [22, 3, 1, 0, 5, 1, 0, 0, 1, 7];
    let record_too_long = [22, 3, 1, 0xff, 0xff, 1];
    for garbage in [&hello_of_ssl_2[..], &alert, &hello_of_nonsense, &record_too_long, &[0; 64]] {
        for _ in 0..10 {
            let mut stream = connect(server.address());
            stream.write_all(garbage).expect("send");
            assert!(!read_to_the_end(&stream).starts_with(b"HTTP/"), "{garbage:?}");
        }
    }
    counted(&server, "failed", 50);
    // A client that does not accept the certificate.
    let mut stream = Certificate::new().client(connect(server.address()));
    assert!(stream.write_all(b"GET / HTTP/1.1\r\n\r\n").is_err());
    drop(stream);
    counted(&server, "failed", 51);
    // There is a second line if a minute has ended meanwhile.
    assert!((1..=2).contains(&lines_about_handshakes(&server)), "{}", server.log());
    let system = server.system();
    server.store(&system, b"the others are served");
}

#[test]
fn client_that_disconnects_during_a_handshake_is_counted_and_not_logged() {
    let server = with_tls().start();
    for how in [Disconnect::Fin, Disconnect::Rst] {
        for said in [&b""[..], &HALF_A_HELLO] {
            for _ in 0..5 {
                let mut stream = connect(server.address());
                stream.write_all(said).expect("send");
                how.close(stream);
            }
        }
    }
    // A connection that was reset before it was accepted does not count.
    let begun = || handshakes(&server, "closed");
    assert_eventually("they are counted", TIMEOUT, || begun() >= 10.0);
    assert_eq!(lines_about_handshakes(&server), 0, "{}", server.log());
}

#[test]
fn metrics_show_connections_until_they_end() {
    let server = with_tls().start();
    let name = r#"strongroom_http_connections{api="collect"}"#;
    let open = || sample(&server.metrics(), name);
    let before = open();
    let wires: Vec<RawClient> = (0..5)
        .map(|_| {
            let mut raw = RawClient::to(&server);
            raw.send("GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n");
            raw.answer().status(200);
            raw
        })
        .collect();
    let shown = open();
    assert!(shown >= before + 4.5, "{before} before, {shown} with five more");
    drop(wires);
    assert_eventually("they have ended", TIMEOUT, || open() < before + 0.5);
    assert!(sample(&server.metrics(), r#"strongroom_http_connections_max{api="collect"}"#) > 1.0);
}

/// A client connects and does not send its head, or not all of it.
fn missing_head_times_out(builder: Builder) {
    let server = builder.start();
    for said in ["", "POST /api/systems/backups HTTP/1.1\r\nHost: vault.example\r\nAuthoriz"] {
        let mut raw = RawClient::to(&server);
        raw.shake_hands();
        raw.send(said);
        // The parser's answer has no body.
        if let Ok(answer) = raw.try_answer() {
            assert!(answer.status == 408 && answer.body.is_empty(), "{said:?}: {answer}");
        }
        assert!(raw.is_closed(), "{said:?}");
    }
}

#[test]
fn client_that_sends_no_head_is_disconnected() {
    missing_head_times_out(Server::builder());
}

#[test]
fn client_that_sends_no_head_over_tls_is_disconnected() {
    missing_head_times_out(with_tls());
}

#[test]
fn unauthenticated_connections_leave_descriptors_for_uploads() {
    allow_descriptors(4096);
    let server = Server::builder().descriptors(800).start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
    raw.send("x");
    assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
    // More connections than descriptors: the rest waits in the kernel's queue.
    let strangers: Vec<TcpStream> = (0..900).map(|_| connect(server.address())).collect();
    let metrics = server.metrics();
    let most = sample(&metrics, r#"strongroom_http_connections_max{api="collect"}"#);
    assert!((400.0..=500.0).contains(&most), "five eighths of 800: {most}");
    assert_eventually("the listener has all the connections that it may have", TIMEOUT, || {
        sample(&server.metrics(), r#"strongroom_http_connections{api="collect"}"#) >= most
    });
    raw.send(bytes(999));
    raw.answer().id();
    drop(strangers);
    server.get("/api/health").send().status(200);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

/// The growth that is permitted, in KiB.
const KEPT: u64 = 12 * 1024;

#[test]
fn memory_of_closed_connections_is_returned_to_the_kernel() {
    allow_descriptors(8192);
    for builder in [Server::builder(), with_tls()] {
        let server = builder.start();
        let before = server.resident();
        let idle: Vec<RawClient> = (0..3000)
            .map(|_| {
                let mut raw = RawClient::to(&server);
                raw.send("GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n");
                raw.answer().status(200);
                raw
            })
            .collect();
        let with_them = server.resident();
        // On a slow machine some of it is returned while they are still being opened.
        assert!(with_them > before + KEPT * 4 / 3, "{before} KiB before, {with_them} with 3000 connections");
        drop(idle);
        assert_eventually("their memory is returned", TIMEOUT * 3, || server.resident() < before + KEPT);
    }
}
