//! Download addresses: signed by the service for the local store, or as the engine requires for a bucket.

use crate::engine::Bucket;
use crate::harness::{Answer, Login, Server, System, TIMEOUT, assert_eventually, bytes, now};

/// Returns the address of a backup, and its validity in seconds.
pub fn link(server: &Server, login: &Login, system: &System, id: &str) -> (String, u64) {
    let path = format!("/api/systems/{}/backups/{id}/download", system.id);
    let answer =
        server.manage("GET", &path).bearer(login.token(&system.org, "backup:view")).send().status(200);
    assert_eq!(answer.must_have("cache-control"), "private, no-store");
    let data = answer.data();
    let seconds = data["expires_in_seconds"].as_u64().expect("seconds");
    (data["download_url"].as_str().expect("a URL").to_owned(), seconds)
}

#[track_caller]
pub fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer}");
    assert_eq!(answer.message(), "download address invalid or expired");
    assert_eq!(answer.data(), serde_json::json!({}));
}

/// Builds a server with a login, always on the local store.
pub fn local(login: &Login) -> crate::harness::Builder {
    Server::builder().no_rate_limit().login(login)
}

#[test]
fn link_downloads_the_backup_without_credentials() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let system = server.system();
    let body = bytes(5000);
    let id = server.upload(&system).header("x-filename", "daily.tar.gz.gpg").body(&body[..]).send().id();
    server.db.execute("UPDATE systems SET name = 'Wien / Büro \"1\"'");
    server.db.execute("UPDATE backups SET uploaded_at = '2026-04-12 23:59:59Z'");
    let (url, seconds) = link(&server, &login, &system, &id);
    assert_eq!(seconds, 300);
    assert!(url.starts_with(&server.management_url("/api/downloads/")), "{url}");
    let whole = server.at(&url).send().status(200);
    assert!(whole.body == body);
    let name = r#"attachment; filename="Wien___B_ro__1_-2026-04-12-daily.tar.gz.gpg""#;
    assert_eq!(whole.must_have("content-disposition"), name);
    assert_eq!(whole.must_have("content-type"), "application/octet-stream");
    assert_eq!(whole.must_have("cache-control"), "private, no-store");
    let part = server.at(&url).header("range", "bytes=-7").send().status(206);
    assert!(part.body == body[4993..]);
    server.at(&url).header("range", "bytes=5000-").send().status(416);
    let etag = whole.must_have("etag");
    server.at(&url).header("if-none-match", etag).send().status(304);
    // The collect API's listener serves it, too.
    let elsewhere = url.replace(&server.management_url(""), &server.url(""));
    assert!(server.at(&elsewhere).send().status(200).body == body);
    let signature = url.rsplit('=').next().expect("a signature");
    assert!(!server.log().contains(signature), "an address in the log could be used");
    let event = "SELECT concat_ws(' ', actor, detail) FROM backup_events WHERE kind = 'downloaded'";
    let made = format!("{event} AND detail ->> 'by' = 'address'");
    assert_eq!(server.db.one(&made), r#"portal@example.org {"by": "address", "with": "token"}"#);
}

#[test]
fn link_signed_by_one_process_works_at_another() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let system = server.system();
    let id = server.store(&system, b"shared");
    let (url, _) = link(&server, &login, &system, &id);
    let sibling = server.sibling();
    let there = url.replace(&server.management_url(""), &sibling.management_url(""));
    assert_eq!(sibling.at(&there).send().status(200).body, b"shared");
}

#[test]
fn link_uses_the_public_url() {
    needs_a_folder!();
    let login = Login::new();
    let server =
        local(&login).set("PUBLIC_URL", "https://vault.example.org/").set("BACKUP_PRESIGN_TTL", 60).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let (url, seconds) = link(&server, &login, &system, &id);
    assert!(url.starts_with("https://vault.example.org/api/downloads/"), "{url}");
    assert_eq!(seconds, 60);
    let here = url.replace("https://vault.example.org", &server.url(""));
    assert_eq!(server.at(&here).send().status(200).body, b"x");
}

#[test]
fn link_without_a_public_url_uses_the_management_public_url() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).set("MANAGEMENT_PUBLIC_URL", "https://manage.example.org").start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let (url, _) = link(&server, &login, &system, &id);
    assert!(url.starts_with("https://manage.example.org/api/downloads/"), "{url}");
}

#[test]
fn forged_link_is_refused_whatever_is_wrong_with_it() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let system = server.system();
    let (id, other) = (server.store(&system, b"mine"), server.store(&system, b"other"));
    let (url, _) = link(&server, &login, &system, &id);
    let (address, query) = url.split_once('?').expect("a query");
    let expires = query.split(['=', '&']).nth(1).expect("a time");
    let later = (expires.parse::<u64>().expect("seconds") + 1).to_string();
    let signature = query.rsplit('=').next().expect("a signature");
    let last = if signature.ends_with('0') { "1" } else { "0" };
    let flipped = format!("{}{last}", &signature[..signature.len() - 1]);
    for forged in [
        url.replace(&id, &other),
        url.replace(&id, &id.replace(".bin", ".gpg")),
        url.replace(&id, "018f3a5c-7b1e-7c3d-9a2b-0123456789ab.bin"),
        url.replace(&id, "nonsense"),
        url.replace(expires, &later),
        url.replace(expires, "99999999999999999999999999"),
        url.replace(expires, "-1"),
        url.replace(signature, &flipped),
        url.replace(signature, &signature[..32]),
        url.replace(signature, ""),
        url.replace(signature, "zz"),
        format!("{url}00"),
        format!("{address}?expires={expires}"),
        format!("{address}?signature={signature}"),
        address.to_owned(),
    ] {
        is_refused(&server.at(&forged).send());
        assert_eq!(server.at(&forged).header("authorization", "Bearer x").send().status, 403, "{forged}");
    }
    server.at(&url).send().status(200);
}

#[test]
fn link_expires() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).set("BACKUP_PRESIGN_TTL", 1).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let (url, _) = link(&server, &login, &system, &id);
    let end = now() + 2;
    assert_eventually("two seconds pass", TIMEOUT, || now() >= end);
    is_refused(&server.at(&url).send());
}

#[test]
fn new_signing_key_in_the_database_revokes_old_links_at_once() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let (url, _) = link(&server, &login, &system, &id);
    server.at(&url).send().status(200);
    server.db.execute("UPDATE signing_keys SET key = sha256('another')");
    is_refused(&server.at(&url).send());
    let (url, _) = link(&server, &login, &system, &id);
    server.at(&url).send().status(200);
}

#[test]
fn each_database_has_its_own_signing_key() {
    let keys: Vec<String> = (0..2)
        .map(|_| {
            let database = crate::harness::Database::empty();
            let mut command = crate::harness::plain_command();
            crate::harness::run(command.arg("migrate").env("DATABASE_URL", database.url())).exits(0);
            assert_eq!(database.number("SELECT octet_length(key) FROM signing_keys"), 32);
            database.one("SELECT encode(key, 'hex') FROM signing_keys")
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn link_to_a_deleted_backup_or_destroyed_system_is_404() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let system = server.system();
    let (deleted, destroyed) = (server.store(&system, b"x"), server.store(&system, b"y"));
    let (one, _) = link(&server, &login, &system, &deleted);
    let (two, _) = link(&server, &login, &system, &destroyed);
    server.delete(&system, &deleted).status(200);
    server.at(&one).send().is_not_found();
    server.at(&two).send().status(200);
    server.mark_destroying(&system);
    server.at(&two).send().is_not_found();
}

#[test]
fn backup_without_its_object_gets_no_link() {
    let login = Login::new();
    let server = local(&login).start();
    server.skip_comparison();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.store.remove(&server.object_key(&id));
    let path = format!("/api/systems/{}/backups/{id}/download", system.id);
    let answer = server.manage("GET", &path).bearer(login.token(&system.org, "backup:view")).send();
    answer.is_unavailable();
    assert_eq!(answer.message(), "stored object is damaged");
    server.manage("HEAD", &path).bearer(login.token(&system.org, "backup:view")).send().status(503);
    assert_eq!(server.events("downloaded"), 0);
}

#[test]
fn link_of_a_bucket_leads_to_the_engine() {
    let login = Login::new();
    let bucket = Bucket::new();
    let server = local(&login).bucket(&bucket, &bucket.endpoint).set("BACKUP_PRESIGN_TTL", "77").start();
    let system = server.system();
    let body = bytes(5000);
    let id = server.upload(&system).header("x-filename", "daily.tar.gz.gpg").body(&body[..]).send().id();
    let (url, seconds) = link(&server, &login, &system, &id);
    assert_eq!(seconds, 77);
    assert!(url.starts_with(&bucket.endpoint) && url.contains("X-Amz-Expires=77"), "{url}");
    let fetched = server.at(&url).send().status(200);
    assert!(fetched.body == body);
    let disposition = fetched.must_have("content-disposition");
    assert!(
        disposition.contains("filename=\"fw-") && disposition.contains("-daily.tar.gz.gpg\""),
        "{disposition}"
    );
    let tampered = server.at(&url.replace("X-Amz-Expires=77", "X-Amz-Expires=78")).send();
    assert_eq!(tampered.status, 403, "{tampered}");
    assert_eq!(server.events("downloaded"), 1);
    // Clients may use another address of the engine than the service.
    let public = server.sibling_with("BACKUP_S3_PRESIGN_ENDPOINT", "https://s3.example.org");
    let (url, _) = link(&public, &login, &system, &id);
    assert!(url.starts_with("https://s3.example.org/"), "{url}");
}
