//! Objects that are not what their row says: never a clean short answer.

use crate::harness::{BACKUPS, Server, bytes};

#[test]
fn a_missing_object_is_told_as_damaged() {
    let server = Server::start();
    let system = server.system();
    let whole = server.store(&system, b"another one");
    let id = server.store(&system, &bytes(5000));
    server.store.remove(&server.object_key(&id));
    for range in [None, Some("bytes=0-9")] {
        let mut request = server.fetch(&system, &id);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = request.send().status(503);
        assert_eq!(answer.message(), "stored object is damaged");
        assert_eq!(answer.data()["type"], "external_api_error", "{answer}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&system.key), "nothing internal: {answer}");
    }
    let head = server.request("HEAD", &format!("{BACKUPS}/{id}")).user(&system).send();
    assert!(head.body.is_empty() && (head.status == 503 || head.status == 200), "{head}");
    assert_eq!(server.ids(&system), [id.clone(), whole.clone()], "it is still in the list");
    server.fetch(&system, &whole).send().status(200);
    server.delete(&system, &id).status(200);
    assert_eq!(server.ids(&system), [whole]);
}

#[test]
fn a_truncated_object_is_never_a_clean_short_answer() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let body = bytes(3_000_000);
    for left in [0, 1, 1_000_000, 2_999_999] {
        let id = server.store(&system, &body);
        server.store.write(&server.object_key(&id), &body[..left]);
        for range in ["bytes=0-", "bytes=1000000-2999999"] {
            let answer = server.fetch(&system, &id).header("range", range).try_send();
            assert!(answer.as_ref().is_ok_and(|a| a.status == 503) || answer.is_err(), "{left} bytes left");
        }
        if let Ok(answer) = server.fetch(&system, &id).try_send() {
            assert_eq!(answer.status(503).message(), "stored object is damaged");
        }
    }
}

#[test]
fn an_object_that_grew_is_not_served_longer_than_it_was() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let body = bytes(1000);
    let id = server.store(&system, &body);
    server.store.write(&server.object_key(&id), &[&body[..], b"and more"].concat());
    if let Ok(answer) = server.fetch(&system, &id).try_send() {
        assert!(answer.status == 503 || answer.body == body, "{answer}");
    }
}

#[test]
fn a_backup_marked_as_damaged_is_not_served() {
    let server = Server::start();
    let system = server.system();
    for damage in ["damaged", "missing"] {
        let id = server.store(&system, b"x");
        let uuid = id.split('.').next().expect("a UUID");
        server.db.execute(&format!("UPDATE backups SET damage = '{damage}' WHERE id = '{uuid}'"));
        let answer = server.fetch(&system, &id).send().status(503);
        assert_eq!(answer.message(), "stored object is damaged");
        assert_eq!(server.ids(&system)[0], id);
    }
}
