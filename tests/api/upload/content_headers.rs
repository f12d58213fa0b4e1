//! Heads which say that the body is not the plain backup, or which request a check that the service does not
//! make: refused at no cost, and after the credential check.

use crate::harness::{
    BACKUPS, Curl, Login, RawClient, Server, System, bytes, chunk, digest_field, head, sha256_hex,
};

/// Refused headers, as the answer names them.
const REFUSED: &[(&str, &str)] = &[
    ("Content-Range", "bytes 50000-99999/100000"),
    ("Content-Range", "bytes 0-99999/100000"),
    ("content-range", "bytes */100000"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "GZIP"),
    ("Content-Encoding", "identity, br"),
    ("Content-Encoding", "aws-chunked"),
    ("Content-Transfer-Encoding", "base64"),
    ("Content-Transfer-Encoding", "quoted-printable"),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", " Multipart/Form-Data"),
    ("Content-Type", "multipart/byteranges; boundary=x"),
    ("Content-Type", "application/partial-upload"),
    ("Upload-Complete", "?0"),
    ("Upload-Incomplete", "?1"),
    ("Upload-Offset", "50000"),
    ("Tus-Resumable", "1.0.0"),
    ("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ("X-Amz-Content-Sha256", "banana"),
    ("X-Amz-Decoded-Content-Length", "100"),
    ("X-Amz-Trailer", "x-amz-checksum-crc32"),
    ("X-Amz-Checksum-Crc32", "AAAAAA=="),
    ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
    ("Digest", "md5=1B2M2Y8AsgTpgAmY7PhCfg=="),
    ("Digest", "SHA-256=AAAA"),
    ("Trailer", "X-Other, Content-Digest"),
    ("If-None-Match", "\"3a7b\""),
    ("If-Match", "\"3a7b\""),
    ("If-Unmodified-Since", "Wed, 25 Nov 2026 10:00:00 GMT"),
];

/// Headers that change nothing; the answer is 201.
const HARMLESS: &[(&str, &str)] = &[
    ("Content-Encoding", "identity"),
    ("Content-Encoding", ""),
    ("Content-Transfer-Encoding", "binary"),
    ("Content-Type", "APPLICATION/OCTET-STREAM"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Type", "multipart/encrypted; protocol=\"application/pgp-encrypted\""),
    ("Upload-Complete", "?1"),
    ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
    ("Range", "bytes=0-1"),
    ("If-None-Match", "*"),
    ("If-Modified-Since", "Wed, 25 Nov 2026 10:00:00 GMT"),
    ("Trailer", "X-Other"),
    ("Prefer", "return=minimal"),
    ("Expect", "100-continue"),
];

#[test]
fn head_that_declares_another_kind_of_body_is_refused_and_costs_nothing() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    for (name, value) in REFUSED {
        let line = format!("{name}: {value}");
        for (framing, body) in
            [("Content-Length: 7", b"a,b,c,d".to_vec()), ("Transfer-Encoding: chunked", chunk(b"a,b,c,d"))]
        {
            let end = if framing.starts_with('T') { chunk(b"") } else { vec![] };
            let mut raw = RawClient::to(&server);
            raw.send([head("POST", BACKUPS, &system, &[framing, &line]).as_bytes(), &body, &end].concat());
            let answer = raw.answer();
            answer.is_validation_error(&name.to_lowercase());
            let wrong = &answer.data()["errors"][0];
            assert_eq!(wrong["value"], value.trim(), "{line}");
        }
    }
    server.assert_refused(&before, &system, 0);
    assert_eq!(server.db.number("SELECT count(*) FROM backups"), 0, "not even a tombstone");
}

#[test]
fn head_is_refused_only_after_authentication() {
    let server = Server::start();
    for (name, value) in REFUSED {
        let upload = server.request("POST", BACKUPS).header("authorization", "Basic bm9ib2R5Ong=");
        upload.header(name, value.trim()).body("x").send().is_invalid_token();
    }
}

#[test]
fn harmless_content_headers_are_accepted() {
    let server = Server::unlimited();
    let system = server.system();
    for (name, value) in HARMLESS {
        let mut raw =
            RawClient::upload(&server, &system, &["Content-Length: 7", &format!("{name}: {value}")]);
        raw.send("a,b,c,d");
        let answer = raw.answer();
        assert_eq!(answer.status, 201, "{name}: {value}: {answer}");
        assert_eq!(answer.data()["sha256"], sha256_hex(b"a,b,c,d"), "{name}: {value}");
    }
}

#[test]
fn a_second_line_of_a_header_counts_as_the_first_does() {
    let server = Server::start();
    let system = server.system();
    for (lines, key) in [
        (["Content-Type: application/octet-stream", "Content-Type: multipart/form-data"], "content-type"),
        (["Content-Encoding: identity", "Content-Encoding: gzip"], "content-encoding"),
    ] {
        let mut raw = RawClient::to(&server);
        raw.send(head("POST", BACKUPS, &system, &["Content-Length: 1", lines[0], lines[1]]) + "x");
        raw.answer().is_validation_error(key);
    }
}

#[test]
fn the_digests_of_older_clients_are_verified() {
    let server = Server::unlimited();
    let system = server.system();
    let body = bytes(1000);
    let base64 =
        |bytes: &[u8]| digest_field(bytes).trim_start_matches("sha-256=:").trim_end_matches(':').to_owned();
    for (name, right, wrong) in [
        ("digest", format!("SHA-256={}", base64(&body)), format!("SHA-256={}", base64(b"another"))),
        ("x-amz-content-sha256", sha256_hex(&body), sha256_hex(b"another")),
    ] {
        server.upload(&system).header(name, right).body(body.clone()).send().id();
        let before = server.snapshot();
        let refused = server.upload(&system).header(name, wrong).body(body.clone()).send();
        refused.is_validation_error("content-digest");
        server.assert_nothing_left(&before);
    }
}

#[test]
fn conditional_deletion_is_refused() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let delete = |name: &str, value: &str| {
        server.request("DELETE", &format!("{BACKUPS}/{id}")).user(&system).header(name, value).send()
    };
    for (name, value) in [
        ("if-match", "\"3a7b\""),
        ("if-none-match", "*"),
        ("if-unmodified-since", "Wed, 25 Nov 2026 10:00:00 GMT"),
    ] {
        delete(name, value).is_validation_error(name);
    }
    assert_eq!(server.ids(&system), [id.as_str()]);
    let login = Login::new();
    let portal = Server::builder().login(&login).start();
    let system = portal.system();
    let kept = portal.store(&system, b"x");
    let path = format!("/api/systems/{}/backups/{kept}", system.id);
    let token = login.token(&system.org, "backup:view backup:delete");
    let by_portal =
        |token: &str| portal.manage("DELETE", &path).bearer(token).header("if-match", "\"3a7b\"").send();
    by_portal(&token).is_validation_error("if-match");
    by_portal("x").is_bad_token();
    assert_eq!(portal.ids(&system), [kept]);
    delete("if-match", "*").status(200);
}

/// The real curl, with common options.
fn curl(server: &Server, system: &System) -> Curl {
    let user = format!("{}:{}", system.key, system.secret);
    Curl::new().args(["--insecure", "--user", &user, &server.url(BACKUPS)])
}

#[test]
fn curl_with_a_range_or_a_form_is_refused_with_advice() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("backup.gpg");
    std::fs::write(&path, bytes(100_000)).expect("fill the file");
    let file = path.to_str().expect("a path of letters");
    let form = format!("file=@{file}");
    for (args, key) in [
        (["-X", "POST", "-C", "50000", "-T", file], "content-range"),
        (["-X", "POST", "-r", "0-999", "-T", file], "content-range"),
        (["-X", "POST", "-H", "X: y", "-F", &form], "content-type"),
    ] {
        let answer = curl(&server, &system).args(args).run().answer;
        answer.is_validation_error(key);
    }
    server.assert_refused(&before, &system, 0);
}
