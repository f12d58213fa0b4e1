//! A store that cannot store a backup: 503, nothing kept, nothing counted. An unsafe store stops the start.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::{
    BACKUPS, Curl, Database, RawClient, Server, Store, TIMEOUT, assert_eventually, big_file, bytes,
    plain_command, run,
};

#[test]
fn store_writable_by_others_stops_the_start_with_the_command_that_repairs_it() {
    needs_a_folder!();
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    assert!(server.stop_gracefully().success());
    let path = server.store.path();
    set_permissions(&path, Permissions::from_mode(0o777)).expect("open it");
    let stopped = run(server.command(["serve"]).env("RUST_LOG", "error")).exits(3);
    let lines: Vec<&str> = stopped.stderr.trim().lines().collect();
    assert_eq!(lines.len(), 1, "{stopped:?}");
    assert!(lines[0].contains(&format!("chmod 0700 {}", path.display())), "{stopped:?}");
    set_permissions(&path, Permissions::from_mode(0o700)).expect("repair it");
    let again = server.sibling();
    assert_eq!(again.fetch(&system, &id).send().status(200).body, b"x");
}

#[test]
fn directory_with_foreign_files_readable_by_others_does_not_become_the_store() {
    needs_a_folder!();
    let (store, database) = (Store::new(), Database::new());
    std::fs::write(store.path().join("file"), "another's").expect("make a file");
    set_permissions(store.path(), Permissions::from_mode(0o755)).expect("open it");
    let mut command = plain_command();
    command.arg("serve").env("LISTEN_ADDRESS", "127.0.0.1:0").env("DATABASE_URL", database.url());
    command.env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
    command.env("RUST_LOG", "off").envs(store.settings());
    let stopped = run(&mut command).exits(3);
    assert!(stopped.stderr.contains("BACKUP_DATA_DIR"), "{stopped:?}");
    assert_eq!(std::fs::read_dir(store.path()).expect("the folder").count(), 1, "nothing was created in it");
}

#[test]
fn log_names_the_store() {
    let server = Server::start();
    let log = server.log();
    if crate::harness::on_s3() {
        assert!(log.contains("store: the bucket "), "{log}");
        return;
    }
    let place = server.store.path().canonicalize().expect("the store");
    assert!(log.contains(&format!("store: {} (", place.display())), "{log}");
}

#[test]
fn unwritable_organization_folder_is_unhealthy_and_logged() {
    needs_a_folder!();
    let server = Server::start();
    let system = server.system();
    let folder = server.store.path().join(&system.org);
    let elsewhere = tempfile::tempdir().expect("a folder");
    symlink(elsewhere.path(), &folder).expect("make a link");
    let refused = server.put(&system, b"x");
    let health = || server.get("/api/health").send();
    assert_eventually("unhealthy", TIMEOUT, || health().status == 503);
    for _ in 0..3 {
        let answer = health().status(503);
        assert_eq!(answer.data(), serde_json::json!({ "database": "up", "store": "down" }));
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!body.contains(&system.org), "nothing internal: {body}");
    }
    assert!(!String::from_utf8_lossy(&refused.body).contains(&system.org), "nothing internal: {refused}");
    refused.is_unavailable();
    let told = |what: &str| {
        let log = server.log();
        log.lines().filter(|line| line.contains(what) && line.contains(&*folder.to_string_lossy())).count()
    };
    assert_eventually("the upload is in the log", TIMEOUT, || told("could not write the object") > 0);
    assert_eventually("the log has the outage", TIMEOUT, || told("health: ") > 0);
    assert_eq!(told("health: "), 1, "logged once, however often health is requested: {}", server.log());
    std::fs::remove_file(&folder).expect("repair it");
    assert_eventually("healthy", TIMEOUT, || health().status == 200);
    assert_eventually("the log has the end of the outage", TIMEOUT, || {
        server.log().contains("can take backups again")
    });
    server.store(&system, b"x");
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("the folder").count(), 0);
}

#[test]
fn uploads_without_a_store_are_503_and_cost_nothing() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let before = server.snapshot();
    server.store.break_store();
    server.put(&system, &bytes(1000)).is_unavailable();
    server.upload(&system).chunked(bytes(1000)).send().is_unavailable();
    server.get(BACKUPS).user(&system).send().status(200);
    server.fetch(&system, &id).send().status(503);
    server.store.repair_store();
    assert_eventually("the slots are released", TIMEOUT, || server.slots_used(&system) == 1);
    server.assert_nothing_left(&before);
    assert_eventually("a backup is stored again", TIMEOUT, || server.put(&system, b"y").status == 201);
    server.fetch(&system, &id).send().status(200);
}

#[test]
fn missing_store_folder_is_not_silently_created() {
    needs_a_folder!();
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.store.make_unavailable();
    server.put(&system, b"y").is_unavailable();
    assert!(!server.store.path().exists(), "an unmounted disk must not be filled at its mount point");
    server.store.repair_store();
    assert_eq!(server.fetch(&system, &id).send().status(200).body, b"x");
}

#[test]
fn store_that_fails_during_an_upload_keeps_nothing_of_it() {
    let server = Server::with([("BACKUP_SWEEP_INTERVAL", "1")]);
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 300000"]);
    raw.send(bytes(200_000));
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    server.store.break_store();
    let _ = raw.try_send(bytes(100_000));
    let answer = raw.answer();
    server.store.repair_store();
    answer.is_unavailable();
    assert_eventually("the slot is released", TIMEOUT, || server.slots_used(&system) == 0);
    // The store could not delete it either: the purge tries again some seconds later.
    assert_eventually("the unfinished write is removed", TIMEOUT, || server.snapshot() == before);
}

#[test]
fn a_full_disk_is_503_and_leaves_nothing() {
    needs_a_folder!();
    needs_mounts!();
    let server = Server::builder().disk("3m").start();
    let system = server.system();
    let small = server.store(&system, &bytes(100_000));
    let before = server.snapshot();
    let body = big_file(8_000_000);
    let chunked = Curl::upload(&server, &system).chunked(body.path()).run().arrived("chunked");
    chunked.is_unavailable();
    server.assert_refused(&before, &system, 1);
    let known = Curl::upload(&server, &system).known(body.path()).run().arrived("known length");
    known.is_unavailable();
    server.assert_refused(&before, &system, 1);
    server.store(&system, &bytes(1_000_000));
    assert_eq!(server.fetch(&system, &small).send().status(200).body.len(), 100_000);
}

#[test]
fn on_a_full_disk_backups_can_still_be_deleted() {
    needs_a_folder!();
    needs_mounts!();
    let server = Server::builder().disk("2m").no_rate_limit().start();
    let system = server.system();
    let first = server.store(&system, &bytes(1_200_000));
    let next = bytes(1_200_000);
    server.put(&system, &next).is_unavailable();
    server.delete(&system, &first).status(200);
    assert_eventually("there is space again", TIMEOUT, || server.put(&system, &next).status == 201);
    assert_eq!(server.objects().len(), 1);
}

#[test]
fn undeletable_object_is_removed_later() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.store.break_store();
    server.delete(&system, &id).status(200);
    assert!(server.list(&system).is_empty());
    server.store.repair_store();
    assert_eventually("the purge is tried again", TIMEOUT * 4, || server.objects().is_empty());
}

#[test]
fn full_disk_refuses_uploads_releases_their_slots_and_recovers() {
    needs_a_folder!();
    needs_mounts!();
    let server = Server::builder().disk("6m").start();
    let system = server.system();
    let siblings: Vec<_> = (0..3).map(|n| server.add_system(&system.org, &format!("fw-{n}"))).collect();
    let kept = server.store(&system, &bytes(100_000));
    let before = server.snapshot();
    let filler = server.store_root().join(".filler");
    let full =
        std::fs::File::create(&filler).and_then(|mut file| std::io::copy(&mut std::io::repeat(0), &mut file));
    assert!(full.is_err(), "the disk is not full");
    std::thread::scope(|scope| {
        let send = |n: usize| {
            let (system, body) = (&siblings[n % 3], bytes(200_000));
            if n < 6 { server.put(system, &body) } else { server.upload(system).chunked(body).send() }
        };
        let answers: Vec<_> = (0..12).map(|n| scope.spawn(move || send(n))).collect();
        for answer in answers {
            answer.join().expect("an answer").is_unavailable();
        }
    });
    server.assert_nothing_left(&before);
    for sibling in &siblings {
        assert_eventually("all slots are released", TIMEOUT, || server.slots_used(sibling) == 0);
    }
    server.audit_is_clean();
    assert_eq!(server.fetch(&system, &kept).send().status(200).body.len(), 100_000);
    std::fs::remove_file(filler).expect("make room");
    for sibling in &siblings {
        server.store(sibling, &bytes(200_000));
    }
    server.has_not_panicked();
}

#[test]
fn read_only_disk_is_503_and_recovers() {
    needs_a_folder!();
    needs_mounts!();
    let server = Server::builder().disk("6m").start();
    let system = server.system();
    let kept = server.store(&system, b"x");
    let before = server.snapshot();
    server.remount("ro");
    for _ in 0..3 {
        server.put(&system, &bytes(100_000)).is_unavailable();
        server.upload(&system).chunked(bytes(100_000)).send().is_unavailable();
    }
    assert_eq!(server.fetch(&system, &kept).send().status(200).body, b"x");
    server.assert_nothing_left(&before);
    assert_eventually("the slots are released", TIMEOUT, || server.slots_used(&system) == 1);
    server.audit_is_clean();
    server.remount("rw");
    server.store(&system, &bytes(100_000));
    server.has_not_panicked();
}

#[test]
fn exhausted_file_descriptors_are_503_and_recover() {
    needs_a_folder!();
    let server = Server::start();
    let system = server.system();
    let kept = server.store(&system, b"x");
    let before = server.snapshot();
    let mut wires: Vec<_> = (0..3).map(|_| RawClient::to(&server)).collect();
    // All three connections are accepted: an answered one has its descriptor.
    let list = crate::harness::head("GET", BACKUPS, &system, &[]);
    for raw in &mut wires {
        raw.send(&list);
        raw.answer().status(200);
    }
    let limit = server.run_out_of_descriptors();
    for raw in &mut wires {
        for _ in 0..2 {
            let head = crate::harness::head("POST", BACKUPS, &system, &["Content-Length: 1000"]);
            raw.send([head.into_bytes(), bytes(1000)].concat());
            raw.answer().is_unavailable();
        }
        raw.send(&list);
        assert_eq!(raw.answer().status(200).data()["backups"][0]["id"], kept.as_str());
    }
    // A new connection waits to be accepted.
    let mut late = RawClient::upload(&server, &system, &["Content-Length: 4"]);
    late.send("late");
    server.limit_descriptors(limit);
    late.answer().id();
    assert_eventually("only the late one was counted", TIMEOUT, || server.slots_used(&system) == 2);
    for raw in &mut wires {
        raw.send(&list);
        raw.answer().status(200);
    }
    let late = server.ids(&system).into_iter().find(|id| *id != kept).expect("the late one");
    server.delete(&system, &late).status(200);
    server.assert_nothing_left(&before);
    server.store(&system, &bytes(200_000));
    server.has_not_panicked();
}
