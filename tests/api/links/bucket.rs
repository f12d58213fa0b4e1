//! Download addresses of a bucket, fetched from the engine with plain curl, and without Strongroom.

use std::process::Command;

use tempfile::TempDir;

use crate::engine::{Bucket, Proxy};
use crate::harness::{Answer, Builder, Curl, Login, Server, TIMEOUT, assert_eventually, bytes, now};
use crate::links::signed::link;

fn on(bucket: &Bucket, login: &Login) -> Builder {
    Server::builder().no_rate_limit().login(login).bucket(bucket, &bucket.endpoint)
}

fn get<const N: usize>(url: &str, options: [&str; N]) -> Answer {
    Curl::new().args(options).args([url]).run().arrived(url)
}

#[test]
fn curl_downloads_a_backup_whole_and_in_part_from_the_engine() {
    let (bucket, login) = (Bucket::new(), Login::new());
    let server = on(&bucket, &login).start();
    let system = server.system();
    let body = bytes(300_000);
    let id = server.upload(&system).header("x-filename", "daily.tar.gz.gpg").body(&body[..]).send().id();
    server.db.execute("UPDATE systems SET name = 'Wien / Büro \"1\"'");
    server.db.execute("UPDATE backups SET uploaded_at = '2026-04-12 23:59:59Z'");
    let (url, _) = link(&server, &login, &system, &id);
    assert!(url.starts_with(&format!("{}/", bucket.endpoint)), "{url}");
    // The address is enough: neither the service nor a credential is needed.
    server.kill();
    server.skip_audit();

    let whole = get(&url, []).status(200);
    assert!(whole.body == body);
    assert_eq!(whole.must_have("content-type"), "application/octet-stream");
    for (range, part) in
        [("0-9", &body[..10]), ("1000-200999", &body[1000..201_000]), ("299990-", &body[299_990..])]
    {
        let answer = get(&url, ["--range", range]).status(206);
        assert!(answer.body == part, "{range}");
    }
    // curl saves the file under the name in the answer.
    let folder = TempDir::with_prefix("strongroom-curl-").expect("make a folder");
    let mut curl = Command::new("curl");
    curl.args(["-q", "--silent", "--fail", "--remote-name", "--remote-header-name", &url]);
    assert!(curl.current_dir(folder.path()).status().expect("run curl").success());
    let saved = folder.path().join("Wien___B_ro__1_-2026-04-12-daily.tar.gz.gpg");
    assert!(std::fs::read(saved).expect("a file of that name") == body);
}

#[test]
fn engine_refuses_a_changed_link() {
    let (bucket, login) = (Bucket::new(), Login::new());
    let server = on(&bucket, &login).start();
    let system = server.system();
    let (id, other) = (server.store(&system, b"mine"), server.store(&system, b"other"));
    let (url, _) = link(&server, &login, &system, &id);
    let (address, query) = url.split_once('?').expect("a query");
    let (_, signature) = query.split_once("X-Amz-Signature=").expect("a signature");
    let signature = signature.split('&').next().expect("a signature");
    let last = if signature.ends_with('0') { "1" } else { "0" };
    let flipped = format!("{}{last}", &signature[..signature.len() - 1]);
    let (name, changed) = ("attachment%3B%20filename%3D%22", "attachment%3B%20filename%3D%22not-");
    for forged in [
        url.replace(&id, &other),
        url.replace(signature, &flipped),
        url.replace("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        url.replace(name, changed),
    ] {
        assert_ne!(forged, url);
        let answer = get(&forged, []);
        assert_eq!(answer.status, 403, "{forged}: {answer}");
    }
    assert!((400..=403).contains(&get(address, []).status), "without a signature");
    assert!(get(&url, []).status(200).body == b"mine");
}

#[test]
fn engine_refuses_an_expired_link() {
    let (bucket, login) = (Bucket::new(), Login::new());
    let server = on(&bucket, &login).set("BACKUP_PRESIGN_TTL", 1).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let (url, seconds) = link(&server, &login, &system, &id);
    assert_eq!(seconds, 1);
    let end = now() + 2;
    assert_eventually("two seconds pass", TIMEOUT, || now() >= end);
    let answer = get(&url, []);
    assert!([400, 403].contains(&answer.status), "{answer}");
    assert_ne!(answer.body, b"x");
}

#[test]
fn links_use_the_presign_endpoint_of_the_engine() {
    let (bucket, login) = (Bucket::new(), Login::new());
    let public = Proxy::new(&bucket.endpoint);
    let server = on(&bucket, &login).set("BACKUP_S3_PRESIGN_ENDPOINT", public.endpoint()).start();
    let system = server.system();
    let id = server.store(&system, b"by another way");
    let (url, _) = link(&server, &login, &system, &id);
    assert!(url.starts_with(&format!("{}/", public.endpoint())), "{url}");
    assert_eq!(get(&url, []).status(200).body, b"by another way");
    assert_eq!(get(&url, ["--range", "3-9"]).status(206).body, b"another");
    // The signature covers the host, too.
    let elsewhere = url.replace(&public.endpoint(), &bucket.endpoint);
    assert_eq!(get(&elsewhere, []).status, 403);
}
