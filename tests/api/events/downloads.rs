//! Downloads: by whom, from where, whole or in part.

use super::recorded;
use crate::harness::{Login, Server, bytes};
use crate::links::signed::link;

#[test]
fn whole_download_and_its_parts_are_told_apart() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(5000));
    let part = |range: &str| server.fetch(&system, &id).header("range", range).send().status(206);
    part("bytes=4000-");
    for _ in 0..3 {
        server.fetch(&system, &id).send().status(200);
        part("bytes=0-99");
        part("bytes=100-199");
    }
    let expected = [r#"system 127.0.0.1 {"last": 4999, "first": 4000}"#, "system 127.0.0.1 {}"];
    assert_eq!(recorded(&server, "downloaded"), expected, "one event a minute for each form");
    let other = server.store(&system, &bytes(10));
    server.fetch(&system, &other).send().status(200);
    assert_eq!(recorded(&server, "downloaded").len(), 3, "another backup");
}

#[test]
fn used_links_are_recorded_with_the_address_of_their_user() {
    needs_a_folder!();
    let login = Login::new();
    let server = Server::builder().login(&login).set("TRUSTED_PROXIES", "127.0.0.1").start();
    let system = server.system();
    let id = server.store(&system, &bytes(5000));
    let (url, _) = link(&server, &login, &system, &id);
    let made = r#"portal@example.org 127.0.0.1 {"by": "address", "with": "token"}"#;
    assert_eq!(recorded(&server, "downloaded"), [made]);
    let used_from = |address: &str| server.at(&url).header("x-forwarded-for", address).send().status(200);
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        used_from(address);
    }
    server.at(&url).header("range", "bytes=5-9").send().status(206);
    server.at(&url.replace("signature=", "signature=00")).send().status(403);
    assert_eq!(
        recorded(&server, "downloaded"),
        [
            made,
            r#"link 192.0.2.1 {"by": "link"}"#,
            r#"link 192.0.2.2 {"by": "link"}"#,
            r#"link 127.0.0.1 {"by": "link", "last": 9, "first": 5}"#,
        ]
    );
}

#[test]
fn fetch_by_an_operator_is_recorded_and_works_without_its_event() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let folder = tempfile::tempdir().expect("a folder");
    let fetch = |name: &str| {
        let file = folder.path().join(name);
        let done = server.cli(["backup", "fetch", &id, "-o", &file.to_string_lossy()]).exits(0);
        assert_eq!(std::fs::read(&file).expect("the file"), b"x");
        done
    };
    let done = fetch("first");
    assert!(!done.stderr.contains("could not record"), "{done:?}");
    assert_eq!(recorded(&server, "downloaded"), ["operator {}"]);
    server.db.execute("ALTER TABLE backup_events ADD CONSTRAINT none CHECK (kind <> 'downloaded') NOT VALID");
    let done = fetch("second");
    assert!(done.stderr.contains("could not record this download in the history"), "{done:?}");
}
