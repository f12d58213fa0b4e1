//! Requests for another protocol are ignored, except the one that would make everything that follows a body.

use crate::harness::{BACKUPS, Curl, RawClient, Server, bare_head, chunk, head, sha256_hex};

const H2C: [&str; 3] =
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"];

/// Headers that clients and proxies send, and that change nothing.
const IGNORED: [&[&str]; 6] = [
    &H2C,
    &["Connection: upgrade"],
    &["Connection: keep-alive, Upgrade", "Upgrade: TLS/1.2"],
    &["Connection: upgrade", "Connection: UPGRADE"],
    &["Upgrade: h2c"],
    &["Connection: upgrade", "Upgrade: h2c, websocket"],
];

#[test]
fn an_upload_that_asks_for_an_upgrade_is_stored_and_its_connection_is_kept() {
    let server = Server::unlimited();
    let system = server.system();
    for lines in IGNORED {
        let mut raw = RawClient::to(&server);
        for (framing, body) in [
            ("Content-Length: 5", b"hello".to_vec()),
            ("Transfer-Encoding: chunked", [chunk(b"hello"), chunk(b"")].concat()),
        ] {
            let head = head("POST", BACKUPS, &system, &[lines, &[framing]].concat());
            raw.send([head.as_bytes(), &body].concat());
            let answer = raw.answer();
            assert_eq!(answer.data()["sha256"], sha256_hex(b"hello"), "{lines:?} {framing}");
            assert_eq!((answer.header("connection"), answer.header("upgrade")), (None, None), "{answer}");
        }
    }
    // A chunked body has a known end, whatever else the head requests.
    let mut raw = RawClient::to(&server);
    raw.send(head("POST", BACKUPS, &system, &["Upgrade: websocket", "Transfer-Encoding: chunked"]));
    raw.send([chunk(b"hello"), chunk(b"")].concat());
    assert_eq!(raw.answer().data()["sha256"], sha256_hex(b"hello"));
}

#[test]
fn curl_that_offers_http_2_is_answered_with_http_1() {
    let server = Server::start();
    let system = server.system();
    let file = tempfile::NamedTempFile::new().expect("make a file");
    std::fs::write(file.path(), "hello").expect("fill it");
    Curl::upload(&server, &system).args(["--http2"]).known(file.path()).run().arrived("--http2").id();
}

#[test]
fn every_route_ignores_an_upgrade_and_keeps_the_connection() {
    let server = Server::unlimited();
    let system = server.system();
    for lines in IGNORED {
        let (mut collect, mut management) = (RawClient::to(&server), RawClient::to_management(&server));
        for path in [BACKUPS, "/api/health", "/api/systems/backups/unchanged", "/nothing"] {
            collect.send(head("GET", path, &system, lines));
            assert_eq!(collect.answer().header("connection"), None, "{path} {lines:?}");
        }
        for path in ["/backup/x", "/docs", "/metrics", "/nothing"] {
            management.send(bare_head("GET", path, lines));
            assert_eq!(management.answer().header("connection"), None, "{path} {lines:?}");
        }
    }
}

#[test]
fn websocket_upgrade_is_refused_at_once_on_every_route() {
    let server = Server::unlimited();
    let system = server.system();
    let before = server.snapshot();
    let refused = |mut raw: RawClient, request: &str| {
        raw.send(request);
        let answer = raw.answer().status(400);
        assert_eq!(answer.is_validation_error("upgrade"), "not supported", "{request}");
        assert_eq!(answer.header("connection"), Some("close"), "{request}");
        assert!(raw.is_closed(), "{request}");
    };
    for lines in [
        &["Upgrade: websocket"][..],
        &["Upgrade: WebSocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
        &["Upgrade: websocket", "Content-Length: 5"],
    ] {
        for (method, path) in
            [("POST", BACKUPS), ("GET", BACKUPS), ("GET", "/api/health"), ("DELETE", "/nothing")]
        {
            refused(RawClient::to(&server), &head(method, path, &system, lines));
        }
        for path in ["/backup/x", "/docs", "/mcp", "/metrics", "/nothing"] {
            refused(RawClient::to_management(&server), &bare_head("POST", path, lines));
        }
    }
    let mut raw = RawClient::to(&server);
    raw.send(bare_head("CONNECT", "vault.example:443", &[]));
    assert_eq!(raw.answer().status(400).is_validation_error("method"), "CONNECT is not supported");
    assert!(raw.is_closed());
    server.assert_nothing_left(&before);
}
