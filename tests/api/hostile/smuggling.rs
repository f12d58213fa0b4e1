//! Requests that two servers could read differently: a proxy in front of the service must never see another end
//! of a request than the service does. An ambiguous request is refused, and what follows it is not read.

use crate::harness::{BACKUPS, RawClient, Server, System, chunk, head};

/// The request that must not be executed as part of another's body.
fn deletion(system: &System, id: &str) -> String {
    head("DELETE", &format!("{BACKUPS}/{id}"), system, &["Content-Length: 0"])
}

/// Sends a head with these bytes in place of `LINES`, and a body that ends with a deletion.
fn send(server: &Server, system: &System, id: &str, lines: &str, body: &str) -> RawClient {
    let head = head("POST", BACKUPS, system, &["LINES"]).replace("LINES", lines);
    let mut raw = RawClient::to(server);
    let _ = raw.try_send(format!("{head}{body}{}", deletion(system, id)));
    raw.end_sending();
    raw
}

fn is_refused_and_goes_no_further(lines: &str, body: &str) {
    let server = Server::unlimited();
    let system = server.system();
    let id = server.store(&system, b"to be there afterwards");
    let before = server.snapshot();
    let mut raw = send(&server, &system, &id, lines, body);
    if let Ok(status) = raw.try_status() {
        assert!((400..500).contains(&status), "{status} for {lines:?} {body:?}");
    }
    assert!(raw.try_status().is_err(), "a second answer after {lines:?} {body:?}");
    server.assert_nothing_left(&before);
    server.has_not_panicked();
}

#[test]
fn head_with_two_lengths_is_refused_and_ends_the_connection() {
    for lines in [
        "Content-Length: 5\r\nContent-Length: 300",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5, 300",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        is_refused_and_goes_no_further(lines, "0\r\n\r\n");
    }
}

#[test]
fn length_with_other_characters_than_digits_is_refused_and_ends_the_connection() {
    for length in ["+5", "-5", "0x5", "5 5", "5;", "\"5\"", "", "5.0", "5\u{b}", "\u{b}5"] {
        is_refused_and_goes_no_further(&format!("Content-Length: {length}"), "hello");
    }
}

#[test]
fn disguised_transfer_encoding_is_refused_and_ends_the_connection() {
    for lines in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: cow",
        "Content-Length: 5\r\nTransfer-Encoding : chunked",
        "Content-Length: 5\r\nTransfer_Encoding : chunked",
    ] {
        is_refused_and_goes_no_further(lines, "5\r\nhello\r\n0\r\n\r\n");
    }
}

#[test]
fn ambiguous_chunks_are_refused_and_end_the_connection() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
    ] {
        is_refused_and_goes_no_further("Transfer-Encoding: chunked", body);
    }
}

#[test]
fn trailers_are_not_read_as_requests() {
    let server = Server::unlimited();
    let system = server.system();
    let id = server.store(&system, b"to be there afterwards");
    let trailer = format!("DELETE {BACKUPS}/{id} HTTP/1.1");
    // Some servers accept a lone line feed after the last chunk as the end of the body.
    let lone = ["\n", &format!("\n{trailer}\r\nHost: a\r\n")].map(str::to_owned);
    let trailers = ["X: y\r\n", "Content-Length: 300\r\n", &format!("X: y\r\n{trailer}\r\n")];
    for trailers in trailers.map(str::to_owned).into_iter().chain(lone) {
        let body = [chunk(b"hello"), format!("0\r\n{trailers}\r\n").into_bytes()].concat();
        let head = head("POST", BACKUPS, &system, &["Transfer-Encoding: chunked"]);
        let mut raw = RawClient::to(&server);
        raw.send([head.as_bytes(), &body].concat());
        raw.end_sending();
        while let Ok(status) = raw.try_status() {
            assert!(status == 201 || (400..500).contains(&status), "{status} for {trailers:?}");
        }
        assert!(server.ids(&system).contains(&id), "deleted by {trailers:?}");
    }
    server.has_not_panicked();
}
