//! Bodies that differ from what the head announces: empty ones and wrong digests.

use sha2::Digest as _;

use crate::harness::{RawClient, Server, base64, bytes, chunk, digest_field};

#[test]
fn matching_digests_are_accepted() {
    let server = Server::unlimited();
    let system = server.system();
    let body = bytes(200_000);
    let right = digest_field(&body);
    let sha512 = format!("sha-512=:{}:", base64(&sha2::Sha512::digest(&body)));
    let with_another = format!("{sha512}, {right}");
    let table: [&[(&str, &str)]; 6] = [
        &[("content-digest", &right)],
        &[("repr-digest", &right)],
        &[("content-digest", &right), ("repr-digest", &right)],
        &[("content-digest", &with_another)],
        &[("content-digest", &sha512)],
        &[("content-digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:")],
    ];
    for headers in table {
        let known = server.upload(&system).body(body.clone());
        let chunked = server.upload(&system).chunked(body.clone());
        for request in [known, chunked] {
            headers.iter().fold(request, |r, (name, value)| r.header(name, value)).send().id();
        }
    }
}

#[test]
fn a_wrong_digest_is_refused_and_leaves_no_object() {
    let server = Server::start();
    for len in [1, 100, 300_000] {
        let body = bytes(len);
        let wrong = digest_field(&[body.as_slice(), b"x"].concat());
        let system = server.system();
        let before = server.snapshot();
        let known = server.upload(&system).header("content-digest", &wrong).body(body.clone()).send();
        known.is_validation_error("content-digest");
        server.assert_refused(&before, &system, 1);
        let chunked = server.upload(&system).header("content-digest", &wrong).chunked(body).send();
        chunked.is_validation_error("content-digest");
        server.assert_refused(&before, &system, 2);
    }
    assert!(server.objects().is_empty());
}

#[test]
fn a_wrong_digest_of_the_representation_is_refused_too() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let body = bytes(5000);
    for content in ["", &digest_field(&body)] {
        let mut request = server.upload(&system).header("repr-digest", digest_field(b"another"));
        if !content.is_empty() {
            request = request.header("content-digest", content);
        }
        let answer = request.body(body.clone()).send().status(400);
        let key = answer.data()["errors"][0]["key"].clone();
        assert!(key == "repr-digest" || key == "content-digest", "{answer}");
    }
    server.assert_refused(&before, &system, 2);
}

#[test]
fn a_malformed_digest_is_refused_before_it_costs_anything() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    for malformed in [
        "banana banana",
        "sha-256",
        "sha-256=abc",
        "sha-256=:not base64!:",
        "sha-256=:AAAA:",
        "sha-256=::",
        r#"sha-256="x""#,
        "sha-256=:AAAA",
    ] {
        let answer = server.upload(&system).header("content-digest", malformed).body("x").send();
        answer.is_validation_error("content-digest");
    }
    let repr = server.upload(&system).header("repr-digest", "sha-256=:AAAA:").body("x").send();
    assert_eq!(repr.message(), "validation failed");
    assert_eq!(repr.status, 400);
    server.assert_refused(&before, &system, 0);
    assert_eq!(server.db.number("SELECT count(*) FROM backups"), 0, "not even a tombstone");
}

#[test]
fn an_empty_body_is_refused_before_it_costs_anything() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let answer = server.upload(&system).header("content-length", "0").body("").send();
    assert_eq!(answer.is_validation_error("body"), "required");
    server.assert_refused(&before, &system, 0);
}

#[test]
fn a_request_without_any_body_is_refused_before_it_costs_anything() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &[]);
    assert_eq!(raw.answer().is_validation_error("body"), "required");
    server.assert_refused(&before, &system, 0);
}

#[test]
fn an_empty_body_in_chunks_is_refused_and_leaves_nothing() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    raw.send(chunk(b""));
    assert_eq!(raw.answer().is_validation_error("body"), "required");
    server.assert_nothing_left(&before);
}

#[test]
fn every_refusal_of_a_body_is_in_the_history() {
    let server = Server::start();
    let system = server.system();
    server.upload(&system).header("content-digest", digest_field(b"another")).body("x").send().status(400);
    server.store(&system, b"the next transaction writes it");
    let reasons = server.db.all("SELECT detail ->> 'reason' FROM backup_events WHERE kind = 'refused'");
    assert_eq!(reasons, ["digest"]);
}

#[test]
fn digests_on_several_lines_all_count() {
    let server = Server::start();
    let system = server.system();
    let sha512 = format!("Content-Digest: sha-512=:{}:", base64(&sha2::Sha512::digest(b"x")));
    for (digest, status) in [(digest_field(b"another"), 400), (digest_field(b"x"), 201)] {
        let line = format!("Content-Digest: {digest}");
        let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1", &sha512, &line]);
        raw.send("x");
        assert_eq!(raw.answer().status, status, "{digest}");
    }
}
