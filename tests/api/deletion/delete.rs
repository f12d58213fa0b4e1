//! `DELETE /api/systems/backups/{id}`.

use serde_json::json;

use crate::harness::{PROMPT_TIMEOUT, Server, TIMEOUT, assert_eventually, bytes};

#[test]
fn deleted_backup_is_gone_from_the_list_the_totals_and_the_store() {
    let server = Server::start();
    let system = server.system();
    let keep = server.store(&system, &bytes(100));
    let id = server.store(&system, &bytes(50));
    let (kept_key, key) = (server.object_key(&keep), server.object_key(&id));
    let answer = server.delete(&system, &id).status(200);
    assert_eq!(answer.data(), json!({ "id": id }));
    assert_eq!(server.ids(&system), [keep]);
    assert_eq!(server.totals(&system.org), (100, 0));
    server.fetch(&system, &id).send().is_not_found();
    server.delete(&system, &id).is_not_found();
    assert_eventually("the object is gone", PROMPT_TIMEOUT, || {
        server.objects().into_iter().eq([kept_key.clone()])
    });
    let rows = format!("SELECT count(*) FROM backups WHERE object_key = '{key}'");
    assert_eventually("its row is gone after it", TIMEOUT, || server.db.number(&rows) == 0);
    assert_eq!(server.events("deleted"), 1);
    assert_eq!(server.slots_used(&system), 2, "a deletion neither uses nor releases a slot");
}

#[test]
fn backup_id_is_matched_without_case_for_deletion() {
    let server = Server::unlimited();
    let system = server.system();
    let id = server.store(&system, b"x");
    let (uuid, extension) = id.split_once('.').expect("an extension");
    for written in [id.to_uppercase(), format!("{uuid}%2e{extension}"), format!("{uuid}%2E{extension}")] {
        assert_eq!(server.fetch(&system, &written).send().status(200).body, b"x", "{written}");
    }
    assert_eq!(server.delete(&system, &id.to_uppercase()).status(200).data(), json!({ "id": id }));
}

#[test]
fn system_may_delete_all_its_backups_and_upload_again() {
    let server = Server::unlimited();
    let system = server.system();
    let ids: Vec<_> = (0..5).map(|_| server.store(&system, b"x")).collect();
    for id in &ids {
        server.delete(&system, id).status(200);
    }
    assert!(server.list(&system).is_empty());
    assert_eventually("all objects are gone", PROMPT_TIMEOUT, || server.objects().is_empty());
    server.store(&system, b"x");
}

#[test]
fn one_of_many_concurrent_deletions_of_a_backup_succeeds() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(100));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let delete = || server.delete(&system, &id).status;
        let all: Vec<_> = (0..8).map(|_| scope.spawn(delete)).collect();
        all.into_iter().map(|thread| thread.join().expect("a client")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 7, "{statuses:?}");
    assert_eq!(server.totals(&system.org), (0, 0));
}

#[test]
fn deletion_does_not_cut_a_download_under_way() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(16_000_000);
    let id = server.store(&system, &body);
    let mut raw = crate::harness::RawClient::to(&server);
    let path = format!("{}/{id}", crate::harness::BACKUPS);
    raw.send(crate::harness::head("GET", &path, &system, &[]));
    assert_eventually("the answer has begun", TIMEOUT, || raw.has_something_to_read());
    server.delete(&system, &id).status(200);
    assert_eventually("the object is gone", PROMPT_TIMEOUT, || server.objects().is_empty());
    if let Ok(answer) = raw.try_answer() {
        assert!(answer.body == body, "a complete answer has all bytes");
    }
}
