//! `GET /api/systems/backups`.

use serde_json::json;

use crate::harness::{BACKUPS, RawClient, Server, TIMEOUT, assert_eventually, bytes};

#[test]
fn a_system_without_backups_has_an_empty_list() {
    let server = Server::start();
    let system = server.system();
    let answer = server.get(BACKUPS).user(&system).send().status(200);
    assert_eq!(answer.data(), json!({ "backups": [] }));
}

#[test]
fn list_is_newest_first() {
    let server = Server::unlimited();
    let system = server.system();
    let mut stored: Vec<_> = (1..=5).map(|len| server.put(&system, &bytes(len)).data()).collect();
    stored.reverse();
    assert_eq!(server.list(&system), stored);
}

#[test]
fn newest_backup_is_the_last_committed_after_a_clock_jump() {
    let server = Server::start();
    let system = server.system();
    let first = server.store(&system, b"first");
    server.db.execute("UPDATE backups SET uploaded_at = uploaded_at + interval '1 hour'");
    let second = server.store(&system, b"second");
    assert_eq!(server.ids(&system), [second, first]);
}

#[test]
fn a_system_sees_only_its_own_backups() {
    let server = Server::start();
    let one = server.system();
    let sibling = server.add_system(&one.org, "of the same organization");
    let stranger = server.system();
    let id = server.store(&one, b"mine");
    let other = server.store(&sibling, b"my sibling's");
    assert_eq!(server.ids(&one), [id]);
    assert_eq!(server.ids(&sibling), [other]);
    assert!(server.list(&stranger).is_empty());
}

#[test]
fn upload_under_way_is_not_listed() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 5"]);
    raw.send("hell");
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    assert!(server.list(&system).is_empty());
    let row = server.db.one("SELECT id::text FROM backups");
    server.fetch(&system, &format!("{row}.bin")).send().is_not_found();
    server.delete(&system, &format!("{row}.bin")).is_not_found();
    raw.send("o");
    let id = raw.answer().id();
    assert_eq!(server.ids(&system), [id]);
}

#[test]
fn list_can_be_read_with_jq() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, b"x");
    let answer = server.get(BACKUPS).user(&system).send();
    assert!(!answer.message().is_empty());
    let backup = answer.data()["backups"][0].clone();
    let mut names: Vec<String> = backup.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["filename", "id", "mimetype", "sha256", "size", "uploaded_at"]);
}
