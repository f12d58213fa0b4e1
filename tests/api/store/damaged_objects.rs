//! Objects that differ from their row are never sent as a complete answer.

use crate::harness::{BACKUPS, Server, System, TIMEOUT, assert_eventually, bytes};

#[test]
fn missing_object_is_reported_as_damaged() {
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

/// Requests the backup whole, in parts and by `HEAD`: not one byte of it is sent, and the log names the backup.
#[track_caller]
fn is_damaged(server: &Server, system: &System, id: &str) {
    for range in [None, Some("bytes=0-"), Some("bytes=0-0"), Some("bytes=500-999"), Some("bytes=-1")] {
        let mut request = server.fetch(system, id);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = request.send().status(503);
        assert_eq!(answer.message(), "stored object is damaged", "{range:?}");
        assert_eq!(answer.data()["details"], "object store", "nothing internal: {answer}");
    }
    let head = server.request("HEAD", &format!("{BACKUPS}/{id}")).user(system).send();
    assert_eq!(head.status, 503, "{head}");
    let line = format!("the object of stored backup {id} is damaged");
    assert_eventually("the log names the backup", TIMEOUT, || server.log().contains(&line));
}

#[test]
fn object_of_another_size_is_damaged_and_not_served() {
    let server = Server::unlimited();
    server.skip_comparison();
    let system = server.system();
    let body = bytes(1000);
    for found in [0, 1, 999, 1001, 3_000_000] {
        let id = server.store(&system, &body);
        server.store.write(&server.object_key(&id), &bytes(found));
        is_damaged(&server, &system, &id);
    }
    let audit = server.cli(["audit", "--store"]).exits(1);
    audit.says("it had 1000 when stored");
}

#[test]
fn object_that_is_no_regular_file_is_damaged_and_not_followed() {
    needs_a_folder!();
    let server = Server::unlimited();
    server.skip_comparison();
    let system = server.system();
    let (outside, content) = (tempfile::NamedTempFile::new().expect("a file"), bytes(1000));
    std::fs::write(outside.path(), &content).expect("fill it");
    let id = server.store(&system, &content);
    let path = server.store.path().join(server.object_key(&id));
    for make in ["link", "pipe"] {
        std::fs::remove_file(&path).expect("remove the object");
        match make {
            "link" => std::os::unix::fs::symlink(outside.path(), &path).expect("make a link"),
            _ => {
                let made = std::process::Command::new("mkfifo").arg(&path).status().expect("run mkfifo");
                assert!(made.success());
            }
        }
        // As many downloads at a time as a system may have, and none of them waits for the pipe.
        for _ in 0..4 {
            std::thread::scope(|scope| {
                let asked: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| server.fetch(&system, &id).send())).collect();
                for answer in asked {
                    answer.join().expect("an answer").status(503);
                }
            });
        }
        is_damaged(&server, &system, &id);
    }
    server.cli(["audit", "--store"]).exits(1).says("a named pipe");
    // Deleting removes the link, and not its target.
    server.delete(&system, &id).status(200);
    assert_eventually("the name is gone", TIMEOUT, || path.symlink_metadata().is_err());
    assert_eq!(std::fs::read(outside.path()).expect("the other file"), content);
}

#[test]
fn backup_marked_as_damaged_is_not_served() {
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
