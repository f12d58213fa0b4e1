//! `GET` and `HEAD /api/systems/backups/{id}`.

use crate::harness::{Answer, BACKUPS, RawClient, Server, bytes, digest_field, head, sha256_hex};

#[test]
fn download_returns_the_bytes_of_the_upload() {
    let server = Server::unlimited();
    let system = server.system();
    for len in [1, 65_536, 10_000_001] {
        let body = bytes(len);
        let stored = server
            .upload(&system)
            .header("content-type", "text/html")
            .header("x-filename", "fw 1.tar.gz")
            .body(body.clone())
            .send();
        let answer = server.fetch(&system, &stored.id()).send().status(200);
        assert!(answer.body == body, "{len} bytes came back as others");
        assert_eq!(answer.must_have("content-length"), len.to_string());
        assert_eq!(answer.must_have("content-type"), "application/octet-stream");
        assert_eq!(answer.must_have("etag"), format!("\"{}\"", sha256_hex(&body)));
        assert_eq!(answer.must_have("repr-digest"), digest_field(&body));
        assert_eq!(answer.must_have("accept-ranges"), "bytes");
        assert_eq!(answer.must_have("content-disposition"), r#"attachment; filename="fw_1.tar.gz""#);
        assert_eq!(answer.must_have("x-content-type-options"), "nosniff");
        assert_eq!(answer.must_have("cache-control"), "private, no-store");
        assert_eq!(answer.header("content-encoding"), None);
    }
    assert!(server.events("downloaded") >= 1);
}

#[test]
fn head_returns_the_headers_of_get() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(5000);
    let id = server.store(&system, &body);
    let got = server.fetch(&system, &id).send().status(200);
    let path = format!("{BACKUPS}/{id}");
    let asked = server.request("HEAD", &path).user(&system).send().status(200);
    let relevant = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "date" && name != "transfer-encoding");
        headers.sort();
        headers
    };
    assert_eq!(relevant(&asked), relevant(&got));
    assert!(asked.body.is_empty());
    let unknown = server.request("HEAD", &format!("{BACKUPS}/{}", other_than(&id))).user(&system).send();
    assert_eq!((unknown.status, unknown.body.len()), (404, 0));

    let mut raw = RawClient::to(&server);
    raw.send(head("HEAD", &path, &system, &["Connection: close"]));
    assert_eq!(raw.bytes_after_head(), 0, "no body after the head of a HEAD");
}

/// A well-formed id of no backup.
fn other_than(id: &str) -> String {
    let last = if id.as_bytes()[35] == b'0' { "1" } else { "0" };
    format!("{}{last}{}", &id[..35], &id[36..])
}

#[test]
fn backup_id_is_matched_without_case_for_download() {
    let server = Server::start();
    let system = server.system();
    let id = server.upload(&system).header("x-filename", "a.tar.gz").body("x").send().id();
    for written in [id.clone(), id.to_uppercase(), id.replace("tar.gz", "Tar.GZ")] {
        assert_eq!(server.fetch(&system, &written).send().status(200).body, b"x");
    }
    assert_eq!(server.delete(&system, &id.to_uppercase()).status(200).data()["id"], id.as_str());
}

#[test]
fn malformed_backup_id_is_a_validation_error() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let uuid = id.strip_suffix(".bin").expect("no name, no extension");
    let version_4 = format!("{}4{}", &uuid[..14], &uuid[15..]);
    let variant = format!("{}c{}", &uuid[..19], &uuid[20..]);
    let malformed = [
        "x".to_owned(),
        uuid.to_owned(),
        format!("{uuid}."),
        format!("{uuid}.exe"),
        format!("{uuid}.tar"),
        format!("{uuid}.gz"),
        format!("{uuid}.bin.bin"),
        format!("{uuid}.bin~"),
        format!("{uuid}.bin%20"),
        format!("{uuid}.bin%00"),
        format!("%20{uuid}.bin"),
        format!("{version_4}.bin"),
        format!("{variant}.bin"),
        format!("{}.bin", uuid.replace('-', "")),
        format!("%7B{uuid}%7D.bin"),
        format!("urn:uuid:{uuid}.bin"),
        format!("{}.bin", &uuid[1..]),
        format!("0{uuid}.bin"),
        "00000000-0000-0000-0000-000000000000.bin".to_owned(),
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd".to_owned(),
        "%2e%2e".to_owned(),
        format!("..%2f{uuid}.bin"),
        "%ff".to_owned(),
    ];
    for id in malformed {
        let answers = [server.fetch(&system, &id).send(), server.delete(&system, &id)];
        for answer in answers {
            assert_eq!(answer.status, 400, "{id}: {answer}");
            answer.is_validation_error("id");
        }
        let head = server.request("HEAD", &format!("{BACKUPS}/{id}")).user(&system).send();
        assert_eq!((head.status, head.body.len()), (400, 0), "{id}");
    }
    assert_eq!(server.ids(&system), [id]);
}

#[test]
fn foreign_and_unknown_backup_ids_cannot_be_told_apart() {
    let server = Server::start();
    let system = server.system();
    let sibling = server.add_system(&system.org, "of the same organization");
    let stranger = server.system();
    let id = server.store(&system, b"mine");
    let unknown = other_than(&id);
    for path in [id.clone(), unknown.clone()] {
        for who in [&sibling, &stranger] {
            server.fetch(who, &path).send().is_not_found();
            server.fetch(who, &path).header("range", "bytes=0-0").send().is_not_found();
            server.fetch(who, &path).header("if-none-match", "*").send().is_not_found();
            server.delete(who, &path).is_not_found();
        }
    }
    let plain = |answer: Answer| {
        let mut headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| name != "date").collect();
        headers.sort();
        (answer.status, headers, answer.body)
    };
    for method in ["GET", "HEAD", "DELETE"] {
        let send =
            |id: &str| plain(server.request(method, &format!("{BACKUPS}/{id}")).user(&stranger).send());
        assert_eq!(send(&id), send(&unknown), "{method}");
    }
    assert_eq!(server.fetch(&system, &id).send().status(200).body, b"mine");
}

#[test]
fn backup_id_with_another_extension_is_unknown() {
    let server = Server::start();
    let system = server.system();
    let id = server.upload(&system).header("x-filename", "a.tar.gz").body("x").send().id();
    let uuid = id.strip_suffix(".tar.gz").expect("the extension");
    for extension in ["bin", "gpg", "tar.xz"] {
        server.fetch(&system, &format!("{uuid}.{extension}")).send().is_not_found();
        server.delete(&system, &format!("{uuid}.{extension}")).is_not_found();
    }
    server.fetch(&system, &id).send().status(200);
}

#[test]
fn download_can_be_repeated_on_one_connection_and_aborted() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(8_000_000);
    let id = server.store(&system, &body);
    let path = format!("{BACKUPS}/{id}");
    let mut raw = RawClient::to(&server);
    for _ in 0..2 {
        raw.send(head("GET", &path, &system, &[]));
        assert!(raw.answer().status(200).body == body);
    }
    raw.send(head("GET", &path, &system, &[]));
    raw.disconnect(crate::harness::Disconnect::Rst);
    assert_eq!(server.fetch(&system, &id).send().status(200).body.len(), body.len());
}
