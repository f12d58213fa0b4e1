//! Bytes that are not HTTP are answered with the reason, counted, and logged once a minute.

use crate::harness::{
    BACKUPS, LinkFault, Login, Random, RawClient, Server, System, TIMEOUT, assert_eventually, bare_head,
    basic, bytes, chunk, eventually, head, sample,
};
use crate::hostile::request_generator;

/// Sends a malformed head, and returns the error's message for this key.
#[track_caller]
fn refused(mut raw: RawClient, head: &str, key: &str) -> String {
    raw.send(head);
    let answer = raw.answer().status(400);
    assert_eq!(answer.header("connection"), Some("close"), "{head:?}: {answer}");
    assert!(raw.is_closed(), "{head:?}");
    answer.is_validation_error(key)
}

fn line(line: &str) -> String {
    format!("POST {BACKUPS} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n")
}

#[test]
fn malformed_head_is_answered_with_the_reason() {
    let server = Server::start();
    for (head, key, word) in [
        ("GARBAGE\r\n\r\n", "head", "first line"),
        ("GET / HTTP/2.0\r\n\r\n", "head", "first line"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "head", "first line"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", "head", "TLS handshake"),
        ("GET / HTTP/1.1\r\n\r\n", "host", "once"),
        (&line("Host: b"), "host", "once"),
        (&line("no colon"), "head", "NAME: VALUE"),
        (&line("X: \u{1}"), "head", "control character"),
        (&line("Content-Length: five"), "content-length", "decimal"),
        (&line("Content-Length: 5\r\nContent-Length: 5"), "content-length", "once"),
        (&line("Content-Length: 5\r\nTransfer-Encoding: chunked"), "transfer-encoding", "combined"),
        (&line("Transfer-Encoding: gzip, chunked"), "transfer-encoding", "must be chunked"),
        ("POST / HTTP/1.0\r\n\r\n", "content-length", "HTTP/1.0"),
    ] {
        for raw in [RawClient::to(&server), RawClient::to_management(&server)] {
            let message = refused(raw, head, key);
            assert!(message.contains(word), "{head:?}: {message}");
        }
    }
    for lines in [
        format!("{}: y\r\n", "a".repeat(70_000)),
        format!("X: {}\r\n", "a".repeat(70_000)),
        "X: y\r\n".repeat(100),
    ] {
        let mut raw = RawClient::to(&server);
        let _ = raw.try_send(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        assert_eq!(raw.answer().status(431).message(), "request header fields too large");
        assert!(raw.is_closed());
    }
    // The longest name and the longest path that fit into 64 KiB.
    for (before, after, status) in [
        ("GET /api/health/live HTTP/1.1\r\nHost: a\r\n", ": y\r\n\r\n", 200),
        ("GET /", " HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    ] {
        let filling = "a".repeat((64 << 10) - before.len() - after.len());
        let mut raw = RawClient::to(&server);
        raw.send(format!("{before}{filling}{after}"));
        raw.answer().status(status);
    }
    server.has_not_panicked();
}

#[test]
fn credential_with_a_line_break_is_answered_with_advice() {
    let server = Server::start();
    let system = server.system();
    // The output of `base64` without `-w0`: lines of 76 characters.
    let credential = basic(&system.key, &system.secret);
    let (first, rest) = credential.split_at("Basic ".len() + 76);
    assert!(!rest.is_empty());
    for joint in ["\r\n ", "\n ", "\r\n\t", "\r\n", "\n"] {
        let head = line(&format!("Authorization: {first}{joint}{rest}\r\nContent-Length: 5"));
        let message = refused(RawClient::to(&server), &head, "head");
        assert!(message.contains("base64") && message.contains("-w0"), "{joint:?}: {message}");
        assert!(joint.ends_with('\n') || message.contains("folded"), "{joint:?}: {message}");
        assert!(!message.contains(&rest[..4]), "{message}");
    }
}

#[test]
fn malformed_head_after_valid_requests_is_answered_in_order() {
    let server = Server::unlimited();
    let system = server.system();
    let mut raw = RawClient::to(&server);
    let upload = format!("{}hello", head("POST", BACKUPS, &system, &["Content-Length: 5"]));
    raw.send(format!("{upload}{}GARBAGE\r\n\r\n{upload}", head("GET", BACKUPS, &system, &[])));
    raw.answer().id();
    assert_eq!(raw.answer().status(200).data()["backups"].as_array().map(Vec::len), Some(1));
    raw.answer().status(400).is_validation_error("head");
    assert!(raw.is_closed());
    assert_eq!(server.list(&system).len(), 1);
}

#[test]
fn client_that_goes_on_sending_after_a_malformed_head_is_answered() {
    let server = Server::start();
    let mut raw = RawClient::to(&server);
    raw.send(line("no colon"));
    // A connection that was closed at once would be reset by these bytes, and a reset can overtake the answer.
    raw.send(bytes(5_000_000));
    raw.answer().status(400).is_validation_error("head");
    raw.send(bytes(5_000_000));
    assert!(raw.is_closed());
}

/// Returns the log's warnings and errors.
fn warnings(server: &Server) -> Vec<String> {
    let log = server.log();
    log.lines()
        .filter(|line| line.contains(" ERROR ") || line.contains(" WARN "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn malformed_requests_are_counted_and_logged_once_a_minute_for_each_address() {
    let server = Server::builder().login(&Login::new()).start();
    let system = server.system();
    for _ in 0..20 {
        refused(RawClient::to(&server), "GARBAGE-S3CRET\r\n\r\n", "head");
        refused(RawClient::to(&server), &line("Authorization: S3CRET\r\n S3CRET"), "head");
        refused(RawClient::to_management(&server), "GARBAGE-S3CRET\r\n\r\n", "head");
    }
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    raw.send("S3CRET\r\n");
    raw.answer().status(400);
    let metrics = server.metrics();
    let count = |api: &str, reason: &str| {
        sample(&metrics, &format!(r#"strongroom_broken_requests_total{{api="{api}",reason="{reason}"}}"#))
    };
    for (api, reason, expected) in [
        ("collect", "request_line", 20.0),
        ("collect", "folded", 20.0),
        ("collect", "body", 1.0),
        ("management", "request_line", 20.0),
    ] {
        assert!((count(api, reason) - expected).abs() < 0.5, "{api} {reason}: {metrics}");
    }
    let log = server.log();
    assert!(!log.contains("S3CRET"), "{log}");
    for (api, reason) in [("collect", "first line is not"), ("management", "first line is not")] {
        let lines: Vec<_> = log.lines().filter(|l| l.contains("broken request") && l.contains(api)).collect();
        // There is a second line if a minute has ended meanwhile.
        assert!((1..=2).contains(&lines.len()), "{lines:?}");
        assert!(
            lines[0].contains(" INFO ") && lines[0].contains("127.0.0.1") && lines[0].contains(reason),
            "{lines:?}"
        );
    }
    assert_eq!(warnings(&server), [""; 0]);
}

#[test]
fn unauthenticated_input_is_never_logged_as_an_error() {
    let server = Server::builder().login(&Login::new()).no_rate_limit().start();
    let system = System { secret: "wrong".to_owned(), ..server.system() };
    let mut random = Random::new(16);
    for number in 0..400 {
        let mut request = request_generator::request(&mut random, &system);
        if number % 5 == 0 {
            request.truncate(random.below(request.len()));
        }
        let to_management = number % 2 == 0;
        let mut raw = if to_management { RawClient::to_management(&server) } else { RawClient::to(&server) };
        let _ = raw.try_send(&request);
        raw.end_sending();
        while raw.try_status().is_ok() {}
    }
    for (path, body) in [("/mcp", "{"), ("/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#)] {
        for host in ["a", "127.0.0.1"] {
            let request = bare_head(
                "POST",
                path,
                &[
                    &format!("Content-Length: {}", body.len()),
                    "Content-Type: application/json",
                    "Accept: application/json, text/event-stream",
                ],
            )
            .replace("vault.example", host);
            let mut raw = RawClient::to_management(&server);
            raw.send(format!("{request}{body}"));
            raw.answer();
        }
    }
    // The line about guesses is logged once a minute for each address.
    let warnings: Vec<_> =
        warnings(&server).into_iter().filter(|l| !l.contains("too many wrong credentials")).collect();
    assert_eq!(warnings, [""; 0]);
    server.has_not_panicked();
}

#[test]
fn upload_with_a_malformed_chunk_is_refused_and_leaves_an_event_but_no_bytes() {
    let server = Server::unlimited();
    let system = server.system();
    server.store(&system, b"another one");
    let before = server.snapshot();
    let extended = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(5000));
    let cases = [
        ("ZZ\r\n", "size is not"),
        ("-5\r\nhello\r\n0\r\n\r\n", "size is not"),
        ("\r\n\r\n", "size is not"),
        ("fffffffffffffffff\r\n", "too large"),
        ("ffffffffffffffff\r\n", "too large"),
        ("5\nhello\n0\n\n", "CR LF"),
        ("5\r\nhelloXX0\r\n\r\n", "CR LF"),
        ("5\r\nhello\n0\r\n\r\n", "CR LF"),
        ("5\r\nhello0\r\n\r\n", "CR LF"),
        ("5;a\nb\r\nhello\r\n0\r\n\r\n", "extension"),
        (&extended, "extension"),
        ("0\r\n\n", "trailers"),
        ("0\r\n\n\r\n\r\n", "trailers"),
        ("0\r\nDELETE / HTTP/1.1\r\n\r\n", "trailers"),
    ];
    let mut refusals = 0;
    for (broken, word) in cases {
        for (lead, pause) in
            [(b"".to_vec(), false), (chunk(&bytes(5000)), false), (chunk(&bytes(200_000)), true)]
        {
            let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
            raw.send(lead);
            if pause {
                assert_eventually("the upload is under way", TIMEOUT, || server.receiving() == 1);
            }
            raw.send(broken);
            let answer = raw.answer().status(400);
            let message = answer.is_validation_error("body");
            assert!(message.starts_with("malformed: ") && message.contains(word), "{broken:?}: {message}");
            assert_eq!(answer.header("connection"), Some("close"), "{broken:?}");
            assert!(raw.is_closed(), "{broken:?}");
            refusals += 1;
            server.assert_nothing_left(&before);
        }
    }
    let metrics = server.metrics();
    let counted = sample(&metrics, r#"strongroom_refusals_total{reason="malformed"}"#);
    assert!((counted - f64::from(refusals)).abs() < 0.5, "{refusals} refusals: {metrics}");
    let log = server.log();
    let lines: Vec<_> =
        log.lines().filter(|line| line.contains("was not stored: the body is malformed")).collect();
    assert_eq!(u32::try_from(lines.len()).ok(), Some(refusals), "{log}");
    assert!(
        lines.iter().all(|l| l.contains(&system.id) && l.contains("from 127.0.0.1") && l.contains(" INFO ")),
        "{log}"
    );
    assert!(eventually(TIMEOUT, || server.db.number(
        "SELECT count(*) FROM backup_events WHERE kind = 'refused' AND \
        detail ->> 'reason' = 'malformed'"
    ) > 0));
    assert_eq!(warnings(&server), [""; 0]);
}

#[test]
fn malformed_chunk_does_not_change_the_answer_of_a_route_that_reads_no_body() {
    let server = Server::start();
    let system = server.system();
    let stranger = System { secret: "wrong".to_owned(), ..system.clone() };
    for (head, status) in [
        (head("GET", BACKUPS, &system, &["Transfer-Encoding: chunked"]), 200),
        (head("POST", "/nothing", &system, &["Transfer-Encoding: chunked"]), 404),
        (head("POST", BACKUPS, &stranger, &["Transfer-Encoding: chunked"]), 401),
    ] {
        let mut raw = RawClient::to(&server);
        raw.send(format!("{head}5\r\nhelloXX"));
        let answer = raw.answer().status(status);
        assert!(!answer.body.is_empty(), "{head}");
        raw.finish_sending();
        assert!(raw.is_closed(), "{head}");
    }
    server.has_not_panicked();
}

#[test]
fn unauthenticated_requests_do_not_fill_the_log_without_postgres() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    link.inject(LinkFault::Refused);
    std::thread::scope(|scope| {
        for client in 0..20 {
            let (server, system) = (&server, &system);
            scope.spawn(move || {
                for number in 0..3 {
                    let stranger = System { key: format!("{client}-{number}"), ..system.clone() };
                    server.get(BACKUPS).user(&stranger).send().is_unavailable();
                }
            });
        }
    });
    let warnings = warnings(&server);
    assert!((1..30).contains(&warnings.len()), "{} lines for 60 requests: {warnings:?}", warnings.len());
    link.repair();
}
