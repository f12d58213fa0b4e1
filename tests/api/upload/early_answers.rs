//! An answer that is sent before the body was read reaches the real curl: plain and TLS, direct and behind
//! nginx.

use std::path::Path;

use crate::harness::{
    Answer, BACKUPS, Builder, Certificate, Curl, Nginx, RawClient, Server, System, TIMEOUT,
    assert_eventually, bare_head, big_file, bytes, head,
};

const BIG: u64 = 64 * 1024 * 1024;

/// The ways in which curl sends a body.
const FORMS: [&str; 4] = ["known", "known without Expect", "chunked", "chunked without Expect"];

fn send(mut curl: Curl, form: &str, body: &Path) -> Curl {
    if form.ends_with("without Expect") {
        curl = curl.args(["-H", "Expect:"]);
    }
    if form.starts_with("known") { curl.known(body) } else { curl.chunked(body) }
}

/// Refuses a big body before its end, for each reason and in each form, and checks the answers.
fn every_refusal_arrives(builder: Builder, through: impl Fn(&Server, Curl) -> Curl) {
    // All of it may take longer than a minute.
    let server = builder.no_rate_limit().set("BACKUP_RATE_LIMIT_PER_HOUR", 1).start();
    let body = big_file(BIG);
    let stranger = System { secret: "wrong".to_owned(), ..server.system() };
    let spent = server.system();
    server.store(&spent, b"its only upload of this hour");
    let check = |system: &System, form: &str, what: &str, is_right: fn(&Answer)| {
        let curl = through(&server, send(Curl::upload(&server, system), form, body.path()));
        is_right(&curl.run().arrived(&format!("{what}, {form}")));
    };
    for form in FORMS {
        check(&stranger, form, "401", |answer| answer.is_invalid_token());
        check(&spent, form, "429", |answer| assert!(answer.is_rate_limited() <= 3600));
        let poor = server.system_with_quota(1_000_000);
        check(&poor, form, "413 for the quota", |answer| answer.is_over_quota());
        assert_eventually("nothing is reserved", TIMEOUT, || server.totals(&poor.org) == (0, 0));
    }
    assert_eq!(server.objects().len(), 1);
}

/// Does the same for the size limit, which would hide the other refusals.
fn size_refusal_arrives(builder: Builder, through: impl Fn(&Server, Curl) -> Curl) {
    let server = builder.no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 1_000_000).start();
    let system = server.system();
    let body = big_file(BIG);
    let before = server.snapshot();
    for form in FORMS {
        let curl = through(&server, send(Curl::upload(&server, &system), form, body.path()));
        curl.run().arrived(form).is_over_size(1_000_000);
        server.assert_nothing_left(&before);
    }
}

fn direct(_: &Server, curl: Curl) -> Curl {
    curl
}

#[test]
fn early_refusal_reaches_curl() {
    every_refusal_arrives(Server::builder(), direct);
}

#[test]
fn early_refusal_reaches_curl_over_tls() {
    every_refusal_arrives(Server::builder().tls(&Certificate::new()), direct);
}

#[test]
fn curl_gets_413_for_too_large_a_body() {
    size_refusal_arrives(Server::builder(), direct);
}

#[test]
fn curl_over_tls_gets_413_for_too_large_a_body() {
    size_refusal_arrives(Server::builder().tls(&Certificate::new()), direct);
}

/// Starts nginx with the first request, when the server's address is known.
fn behind_nginx(buffering: bool) -> impl Fn(&Server, Curl) -> Curl {
    let nginx = std::cell::OnceCell::new();
    move |server, curl| {
        let socket = nginx.get_or_init(|| Nginx::before(server, buffering)).socket();
        curl.args(["--unix-socket", &socket.to_string_lossy()])
    }
}

#[test]
fn early_refusal_reaches_curl_through_buffering_nginx() {
    every_refusal_arrives(Server::builder(), behind_nginx(true));
}

#[test]
fn early_refusal_reaches_curl_through_unbuffering_nginx() {
    every_refusal_arrives(Server::builder(), behind_nginx(false));
}

#[test]
fn curl_through_nginx_gets_413_for_too_large_a_body() {
    size_refusal_arrives(Server::builder(), behind_nginx(true));
    size_refusal_arrives(Server::builder(), behind_nginx(false));
}

#[test]
fn a_small_unread_body_does_not_cost_the_connection() {
    a_small_unread_body_is_drained(Server::builder());
}

#[test]
fn a_small_unread_body_does_not_cost_the_connection_over_tls() {
    a_small_unread_body_is_drained(Server::builder().tls(&Certificate::new()));
}

fn a_small_unread_body_is_drained(builder: Builder) {
    let server = builder.start();
    let system = server.system();
    for len in [1, 1000, 64 * 1024] {
        let is_kept = || {
            let mut raw = RawClient::to(&server);
            let request = bare_head("POST", BACKUPS, &[&format!("Content-Length: {len}")]);
            raw.send([request.as_bytes(), &bytes(len)].concat());
            let refused = raw.answer();
            refused.is_invalid_token();
            if refused.header("connection") == Some("close") {
                return false;
            }
            raw.send(head("GET", BACKUPS, &system, &[]));
            raw.answer().status(200);
            true
        };
        // The server reads only what has arrived, and the kernel may deliver the end late.
        assert!((0..10).any(|_| is_kept()), "{len} unread bytes");
    }
}

#[test]
fn a_connection_that_is_kept_after_an_early_answer_serves_its_next_request() {
    for builder in [Server::builder(), Server::builder().tls(&Certificate::new())] {
        let server = builder.no_rate_limit().start();
        let system = server.system();
        // More than is drained, and little enough that all has arrived when the answer is sent.
        for len in [64 * 1024 + 1, 80_000, 100_000, 128 * 1024, 180_000] {
            for _ in 0..5 {
                let mut raw = RawClient::to(&server);
                let request = bare_head("POST", BACKUPS, &[&format!("Content-Length: {len}")]);
                raw.send([request.as_bytes(), &bytes(len)].concat());
                let refused = raw.answer();
                refused.is_invalid_token();
                if refused.header("connection") != Some("close") {
                    raw.send(head("GET", BACKUPS, &system, &[]));
                    raw.answer().status(200);
                }
            }
        }
    }
}

#[test]
fn client_that_reads_only_after_its_last_byte_is_answered() {
    for builder in [Server::builder(), Server::builder().tls(&Certificate::new())] {
        let server = builder.start();
        let stranger = System { secret: "wrong".to_owned(), ..server.system() };
        let mut raw = RawClient::upload(&server, &stranger, &["Content-Length: 1000000"]);
        let _ = raw.try_send(bytes(1_000_000));
        raw.answer().is_invalid_token();
    }
}
