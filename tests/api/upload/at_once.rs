//! A small body that arrives at once is stored before its admission, in one transaction.

use std::time::{Duration, SystemTime};

use crate::harness::{
    BACKUPS, LinkFault, RawClient, Server, TIMEOUT, assert_eventually, bytes, digest_field,
};

/// Whether one transaction has admitted and stored the backup.
fn in_one_transaction(server: &Server, id: &str) -> bool {
    server
        .db
        .holds(&format!("(SELECT admitted_at = uploaded_at FROM backups WHERE object_key LIKE '%/{id}')"))
}

fn assert_no_marks(server: &Server) {
    assert_eventually("no mark is left", TIMEOUT, || server.marks().is_empty());
}

#[test]
fn small_body_that_arrives_at_once_needs_one_transaction() {
    needs_a_folder!();
    let server = Server::unlimited();
    for length in [1, 2000, 96 << 10] {
        let system = server.system();
        let body = bytes(length);
        let store = || server.upload(&system).body(body.clone()).send().status(201).id();
        let mut id = String::new();
        // On a busy machine it may not arrive at once.
        assert_eventually("a body arrives at once", TIMEOUT, || {
            id = store();
            in_one_transaction(&server, &id)
        });
        assert_eq!(server.fetch(&system, &id).send().status(200).body, body);
        let row = format!(
            "SELECT concat_ws(' ', size_bytes, want_bytes, reserved_bytes, encode(sha256, 'hex')) FROM backups \
             WHERE object_key LIKE '%/{id}'"
        );
        assert_eq!(server.db.one(&row), format!("{length} {length} 0 {}", crate::harness::sha256_hex(&body)));
        assert_eq!(server.totals(&system.org).1, 0);
    }
    assert_no_marks(&server);
}

#[test]
fn any_other_body_is_admitted_first() {
    let server = Server::start();
    for (form, length) in [("chunked", 2000), ("asks first", 2000), ("large", (96 << 10) + 1)] {
        let system = server.system();
        let request = server.upload(&system);
        let request = match form {
            "chunked" => request.chunked(bytes(length)),
            "asks first" => request.header("expect", "100-continue").body(bytes(length)),
            _ => request.body(bytes(length)),
        };
        assert!(!in_one_transaction(&server, &request.send().status(201).id()), "{form}");
    }
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
    raw.send(bytes(500));
    assert_eventually("the slow upload is admitted", TIMEOUT, || server.receiving() == 1);
    raw.send(bytes(500));
    assert!(!in_one_transaction(&server, &raw.answer().status(201).id()));
}

#[test]
fn refused_small_body_leaves_nothing() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    let before = server.snapshot();
    server.upload(&system).body(bytes(1001)).send().status(413);
    server.assert_refused(&before, &system, 0);
    assert!(server.objects().is_empty());
    assert_no_marks(&server);
    server
        .upload(&system)
        .header("content-digest", digest_field(b"another"))
        .body(bytes(10))
        .send()
        .status(400);
    assert!(server.objects().is_empty());
    // It is as good as any other afterwards.
    server.store(&system, &bytes(1000));
    assert_no_marks(&server);
}

#[test]
fn limits_hold_for_small_bodies_that_come_at_the_same_time() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "3")]);
    let system = server.system_with_quota(10_000);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let upload = || server.upload(&system).body(bytes(100)).send().status;
        let sent: Vec<_> = (0..12).map(|_| scope.spawn(upload)).collect();
        sent.into_iter().map(|sent| sent.join().expect("an answer")).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 3, "{answers:?}");
    assert!(answers.iter().all(|status| [201, 429].contains(status)), "{answers:?}");
    assert_eq!(server.objects().len(), 3);
    assert_no_marks(&server);
}

/// An outage must not fill the disk with objects that wait for their hour.
#[test]
fn after_an_outage_uploads_are_admitted_first_for_a_while() {
    needs_a_folder!();
    let (link, server) = Server::on_a_link();
    let system = server.system();
    server.get(BACKUPS).user(&system).send().status(200);
    link.inject(LinkFault::BlackHole);
    server.put(&system, &bytes(1000)).is_unavailable();
    link.repair();
    let other = server.system();
    assert_eventually("it works again", TIMEOUT, || server.put(&other, &bytes(1000)).status == 201);
    let newest = server.ids(&other).swap_remove(0);
    assert!(!in_one_transaction(&server, &newest));
    assert_eventually("later they are stored at once", TIMEOUT * 2, || {
        let system = server.system();
        let id = server.store(&system, &bytes(1000));
        in_one_transaction(&server, &id)
    });
    server.age_marks();
    server.cli(["sweep"]).exits(0);
    assert_no_marks(&server);
}

/// Makes a mark of an object that no process holds.
fn mark(server: &Server, key: &str) {
    let (root, name) = (server.store.path(), key.replace('/', ","));
    std::fs::hard_link(root.join(key), root.join(".tmp/ahead").join(name)).expect("a mark");
}

/// What a process leaves that dies between putting an object ahead and its transaction. Returns the key.
fn leave_object_without_row(server: &Server) -> String {
    let system = server.system();
    let stored = server.object_key(&server.store(&system, &bytes(2000)));
    assert_no_marks(server);
    let last = if stored.ends_with("0.bin") { "1.bin" } else { "0.bin" };
    let key = format!("{}{last}", &stored[..stored.len() - 5]);
    server.store.write(&key, b"nobody was told that it is stored");
    mark(server, &key);
    key
}

fn set_age(server: &Server, key: &str, minutes: u64) {
    let file = std::fs::File::options().write(true).open(server.store.path().join(key)).expect("the object");
    file.set_modified(SystemTime::now() - Duration::from_mins(minutes)).expect("set its time");
}

#[test]
fn object_of_an_unknown_upload_is_deleted_after_an_hour_and_is_no_orphan_before() {
    needs_a_folder!();
    let server = Server::start();
    let other = server.system();
    server.store(&other, &bytes(10));
    let key = leave_object_without_row(&server);
    set_age(&server, &key, 50);
    server.cli(["sweep"]).exits(0);
    server.cli(["audit", "--store"]).exits(0);
    server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(0);
    assert!(server.objects().contains(&key), "its transaction may be under way");
    set_age(&server, &key, 61);
    server.cli(["sweep"]).exits(0);
    assert_eq!(server.objects().len(), 2);
    assert_no_marks(&server);
}

#[test]
fn mark_of_a_stored_backup_is_removed() {
    needs_a_folder!();
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(10));
    let key = server.object_key(&id);
    assert_no_marks(&server);
    mark(&server, &key);
    set_age(&server, &key, 100);
    server.cli(["sweep"]).exits(0);
    assert_no_marks(&server);
    server.fetch(&system, &id).send().status(200);
}

#[test]
fn object_with_a_mark_is_kept_if_the_database_may_be_older_than_the_store() {
    needs_a_folder!();
    let server = Server::start();
    let key = leave_object_without_row(&server);
    set_age(&server, &key, 100);
    // Another object that is newer than all that have a row: as after the restore of a dump.
    server.store.write("lost-org/lost-system/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg", b"x");
    server.cli(["sweep"]).exits(0);
    assert!(server.objects().contains(&key));
    assert_no_marks(&server);
    server.skip_comparison();
    let audit = server.cli(["audit", "--store"]).exits(1);
    assert!(audit.stdout.contains(&key), "{audit:?}");
}
