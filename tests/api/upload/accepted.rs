//! `POST /api/systems/backups`: what a 201 means.

use serde_json::json;

use crate::harness::{BACKUPS, RawClient, Server, bytes, chunk, sha256_hex};

const MIB: usize = 1024 * 1024;

#[test]
fn upload_is_stored_with_its_sha256_size_and_names() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(3000);
    let answer = server
        .upload(&system)
        .header("content-type", "application/gzip")
        .header("x-filename", "daily-backup-2026-04-12.tar.gz")
        .body(body.clone())
        .send();

    let id = answer.id();
    let uuid = id.strip_suffix(".tar.gz").expect("the extension of the file name");
    let data = answer.data();
    let uploaded_at = data["uploaded_at"].as_str().expect("a time").to_owned();
    let expected = json!({
        "id": id, "filename": "daily-backup-2026-04-12.tar.gz", "size": 3000, "sha256": sha256_hex(&body),
        "mimetype": "application/gzip", "uploaded_at": uploaded_at,
    });
    assert_eq!(data, expected);
    assert!(answer.must_have("location").ends_with(&format!("{BACKUPS}/{id}")), "{answer}");
    assert!(uploaded_at.contains('T') && uploaded_at.ends_with('Z'), "RFC 3339 in UTC: {uploaded_at}");
    assert!(server.db.holds(&format!("abs(extract(epoch FROM now() - '{uploaded_at}'::timestamptz)) < 60")));

    let row = format!(
        "FROM backups WHERE id = '{uuid}' AND system_id = '{}' AND org_id = '{}'",
        system.id, system.org
    );
    assert_eq!(server.db.one(&format!("SELECT state {row}")), "stored");
    assert_eq!(server.db.one(&format!("SELECT encode(sha256, 'hex') {row}")), sha256_hex(&body));
    assert_eq!(server.db.number(&format!("SELECT size_bytes {row}")), 3000);
    let key = format!("{}/{}/{id}", system.org, system.key);
    assert_eq!(server.object_key(&id), key);
    assert_eq!(server.objects().into_iter().collect::<Vec<_>>(), [key.as_str()]);
    assert_eq!(server.store.read(&key), body);
    assert!(server.temporary().is_empty());
    assert_eq!(server.totals(&system.org), (3000, 0));
    assert_eq!(server.slots_used(&system), 1);
    assert_eq!(server.events("uploaded"), 1);
    assert_eq!(server.list(&system), [expected], "the list shows the same as the 201");
}

#[test]
fn backup_ids_are_uuid_version_7_and_strictly_increasing() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 50).start();
    let system = server.system();
    let ids: Vec<String> = (0..30).map(|_| server.store(&system, b"x")).collect();
    for id in &ids {
        let uuid =
            uuid::Uuid::parse_str(id.strip_suffix(".bin").expect("no name, no extension")).expect("a UUID");
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122), "{id}");
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn bodies_of_any_length_are_stored_byte_for_byte() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 50).start();
    let system = server.system();
    for len in [1, 2, 4095, 65_536, 65_537, MIB, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB] {
        let body = bytes(len);
        for answer in [server.put(&system, &body), server.upload(&system).chunked(body.clone()).send()] {
            let id = answer.id();
            assert_eq!(answer.data()["size"], len);
            assert_eq!(answer.data()["sha256"], sha256_hex(&body), "{len} bytes");
            let stored = server.store.read(&server.object_key(&id));
            assert!(stored == body, "{len} bytes were stored as others");
        }
    }
    assert!(server.temporary().is_empty());
}

#[test]
fn one_connection_carries_several_uploads() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::to(&server);
    for len in [10, 70_000, 1] {
        raw.send(crate::harness::head("POST", BACKUPS, &system, &[&format!("Content-Length: {len}")]));
        raw.send(bytes(len));
        assert_eq!(raw.answer().data()["size"], len);
    }
    assert_eq!(server.ids(&system).len(), 3);
}

#[test]
fn client_that_waits_for_100_continue_gets_it() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 7", "Expect: 100-continue"]);
    raw.send("content");
    assert_eq!(raw.answer().data()["sha256"], sha256_hex(b"content"));
}

#[test]
fn chunks_of_any_size_make_one_body() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    let parts = [bytes(1), bytes(2), bytes(100_000), bytes(3)];
    for part in &parts {
        for piece in chunk(part).chunks(30_001) {
            raw.send(piece);
        }
    }
    raw.send(chunk(b""));
    assert_eq!(raw.answer().data()["sha256"], sha256_hex(&parts.concat()));
}

#[test]
fn stored_backup_survives_sigkill() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(100_000);
    let id = server.store(&system, &body);
    server.kill();
    let next = server.sibling();
    assert_eq!(next.ids(&system), [id.as_str()]);
    assert_eq!(next.fetch(&system, &id).send().status(200).body, body);
}

#[test]
fn very_many_small_chunks_make_one_body() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(20_000);
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    raw.send(body.iter().flat_map(|byte| chunk(&[*byte])).collect::<Vec<u8>>());
    raw.send(chunk(b""));
    assert_eq!(raw.answer().data()["sha256"], sha256_hex(&body));
}

#[test]
fn times_are_in_utc_in_any_time_zone_of_the_database() {
    let database = std::sync::Arc::new(crate::harness::Database::new());
    let name = database.one("SELECT current_database()");
    database.execute(&format!("ALTER DATABASE {name} SET timezone TO 'Asia/Kathmandu'"));
    let server = Server::builder().database(&database).start();
    let system = server.system();
    let stored = server.put(&system, b"x").data()["uploaded_at"].as_str().expect("a time").to_owned();
    assert_eq!(server.list(&system)[0]["uploaded_at"], stored.as_str());
    assert!(stored.ends_with('Z'), "{stored}");
    assert!(
        server.db.holds(&format!("abs(extract(epoch FROM now() - '{stored}'::timestamptz)) < 60")),
        "{stored}"
    );
}
