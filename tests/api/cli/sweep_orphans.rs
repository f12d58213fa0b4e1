//! `strongroom sweep --orphans`: the only way in which an object without a row is deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::{Database, RawClient, Server, SetOnDrop, TIMEOUT, assert_eventually, bytes};

/// Keys of objects without a row, older than any row.
const ORPHANS: [&str; 2] = [
    "lost-org/lost-system/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.gpg",
    "lost-org/lost-system/01934fab-bc33-7890-a1b2-c3d4e5f6a7b9.gpg",
];

#[test]
fn old_orphans_are_deleted_and_reported() {
    let server = Server::start();
    let system = server.system();
    for key in ORPHANS {
        server.store.write(key, b"of a system that was destroyed");
    }
    let ids = [server.store(&system, &bytes(10)), server.store(&system, &bytes(20))];
    let all = server.objects();
    let before: BTreeSet<_> = all.iter().filter(|key| !ORPHANS.contains(&key.as_str())).cloned().collect();
    server.cli(["sweep"]).exits(0);
    let young = server.cli(["sweep", "--orphans", "--older-than", "1h", "--json"]).exits(0).json();
    assert_eq!((&young["orphans_kept"], &young["orphans_deleted"]), (&2.into(), &0.into()), "{young}");
    assert_eq!(server.objects().len(), 4, "they are younger than that");

    let swept = server.cli(["sweep", "--orphans", "--older-than", "0s", "--json"]).exits(0).json();
    let mut told: Vec<_> = swept["orphans"].as_array().expect("a list").iter().collect();
    told.sort_by_key(|orphan| orphan["object_key"].to_string());
    assert_eq!(told.len(), 2, "{swept}");
    assert_eq!(
        (told[0]["object_key"].as_str(), told[1]["object_key"].as_str()),
        (Some(ORPHANS[0]), Some(ORPHANS[1]))
    );
    assert!(told[0]["size"] == 30 && told[0]["modified"].is_string(), "{swept}");
    assert_eq!(swept["orphans_deleted"], 2, "{swept}");
    assert_eq!(server.objects(), before);
    for id in ids {
        server.fetch(&system, &id).send().status(200);
    }
    let history = "SELECT detail ->> 'object_key' FROM backup_events
        WHERE kind = 'orphan_deleted' AND org_id = 'lost-org' AND actor = 'operator' ORDER BY 1";
    assert_eq!(server.db.all(history), ORPHANS);

    server.store.write(ORPHANS[0], b"again");
    let newer = server.object_key(&server.store(&system, &bytes(30)));
    server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(0).says(ORPHANS[0]);
    let left = server.objects();
    assert!(left.is_superset(&before) && left.contains(&newer) && left.len() == 3, "{left:?}");
}

#[test]
fn age_of_an_orphan_is_that_of_its_object() {
    needs_a_folder!();
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    server.store.write(ORPHANS[0], b"x");
    let file = std::fs::File::open(server.store.path().join(ORPHANS[0])).expect("the object");
    let two_days_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(48);
    file.set_modified(two_days_ago).expect("set its time");
    server.cli(["sweep", "--orphans", "--older-than", "3d"]).exits(0);
    assert!(server.objects().contains(ORPHANS[0]));
    server.cli(["sweep", "--orphans", "--older-than", "1d"]).exits(0).says(ORPHANS[0]);
    assert_eq!(server.objects().len(), 1);
}

#[test]
fn sweep_of_orphans_needs_an_age() {
    let server = Server::start();
    server.cli(["sweep", "--orphans"]).exits(2);
    server.cli(["sweep", "--older-than", "7d"]).exits(2);
    server.cli(["sweep", "--force"]).exits(2);
    for nonsense in ["7", "d", "-1d", "7 dogs", ""] {
        server.cli(["sweep", "--orphans", "--older-than", nonsense]).exits(2);
    }
    server.cli(["sweep", "--orphans", "--older-than", "400000years"]).exits(2);
    for fine in ["7d", "12h", "30m", "1d 12h"] {
        server.cli(["sweep", "--orphans", "--older-than", fine]).exits(0);
    }
}

#[test]
fn an_empty_database_does_not_empty_the_store() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    let objects = server.objects();
    let empty = Arc::new(Database::new());
    let confused = Server::builder().database(&empty).store(&server.store).start();
    confused.skip_comparison();
    let refused = confused.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(1);
    assert!(refused.stderr.contains("no stored backup") && refused.stdout.is_empty(), "{refused:?}");
    // One of its own backups does not prove that it is the right database.
    let own = confused.system();
    confused.store(&own, b"x");
    server.store(&system, &bytes(20));
    let refused = confused.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(1);
    assert!(refused.stderr.contains("2 objects have no row"), "{refused:?}");
    assert!(server.objects().is_superset(&objects));
    server.skip_comparison();
    confused.cli(["sweep", "--orphans", "--older-than", "0s", "--force"]).exits(0);
    assert_eq!(server.objects().len(), 1, "--force deletes them");
}

#[test]
fn restored_old_database_does_not_delete_newer_objects() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    for _ in 0..3 {
        server.store(&system, &bytes(10));
    }
    let objects = server.objects();
    // As after restoring a dump from before the last upload.
    forget_backup(&server, "SELECT id FROM backups ORDER BY seq DESC LIMIT 1");
    let refused = server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(1);
    assert!(refused.stderr.contains("older than"), "{refused:?}");
    assert_eq!(server.objects(), objects);
}

/// Makes the database one that was restored from a dump without this backup.
fn forget_backup(server: &Server, backup: &str) {
    server.db.execute(&format!(
        "DELETE FROM backup_events WHERE backup_id = ({backup});
         DELETE FROM backups WHERE id = ({backup});
         UPDATE org_usage SET stored_bytes = (SELECT sum(size_bytes) FROM backups WHERE state = 'stored')",
    ));
}

#[test]
fn upload_under_a_wrong_clock_does_not_make_an_old_database_look_new() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    let id = server.store(&system, &bytes(10));
    let key = server.object_key(&id);
    // As if the clock of the process that made the id had been centuries ahead.
    let ahead = "ffffffff-ffff-7fff-8fff-ffffffffffff";
    let uuid = id.split('.').next().expect("a UUID");
    server.db.execute(&format!(
        "UPDATE backups SET id = '{ahead}', object_key = replace(object_key, '{uuid}', '{ahead}') WHERE id = '{uuid}';
         UPDATE backup_events SET backup_id = '{ahead}' WHERE backup_id = '{uuid}'",
    ));
    server.store.write(&key.replace(uuid, ahead), &bytes(10));
    server.store.remove(&key);
    for _ in 0..2 {
        server.store(&system, &bytes(10));
    }
    let objects = server.objects();
    forget_backup(&server, "SELECT id FROM backups ORDER BY seq DESC LIMIT 1");
    let refused = server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(1);
    assert!(refused.stderr.contains("older than"), "{refused:?}");
    assert_eq!(server.objects(), objects);
}

#[test]
fn object_newer_than_every_row_is_kept() {
    // Engines round the time of an object to seconds.
    needs_a_folder!();
    let server = Server::start();
    server.store(&server.system(), &bytes(10));
    server.store.write(ORPHANS[0], b"of a system that was added after the dump");
    let refused = server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(1);
    assert!(refused.stderr.contains("older than the store"), "{refused:?}");
    server.store.remove(ORPHANS[0]);
}

#[test]
fn objects_between_a_dump_and_its_restore_are_kept_after_the_next_upload() {
    let server = Server::start();
    server.skip_audit();
    server.skip_comparison();
    let system = server.system();
    for _ in 0..3 {
        server.store(&system, &bytes(10));
    }
    forget_backup(&server, "SELECT id FROM backups ORDER BY seq DESC LIMIT 1");
    server.store(&system, &bytes(10));
    let objects = server.objects();
    assert_eq!(objects.len(), 4);
    let refused = server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(1);
    assert!(refused.stderr.contains("1 objects without a row lie under systems"), "{refused:?}");
    assert_eq!(server.objects(), objects);
    server.cli(["sweep", "--orphans", "--older-than", "0s", "--force"]).exits(0);
    assert_eq!(server.objects().len(), 3, "--force deletes them");
}

#[test]
fn orphan_that_the_history_knows_is_deleted() {
    let server = Server::start();
    let system = server.system();
    let deleted = server.store(&system, &bytes(10));
    let landed_late = server.object_key(&deleted);
    server.delete(&system, &deleted).status(200);
    assert_eventually("its row is gone", TIMEOUT, || server.db.number("SELECT count(*) FROM backups") == 0);
    server.store.write(&landed_late, b"left by an engine that did not delete it");
    let kept = [0, 1].map(|_| server.object_key(&server.store(&system, &bytes(10))));
    server.cli(["sweep", "--orphans", "--older-than", "0s"]).exits(0);
    assert_eq!(server.objects(), kept.into_iter().collect());
}

#[test]
fn sweep_of_orphans_on_a_standby_is_refused() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    server.store.write(ORPHANS[0], b"its row has not been replicated yet");
    let mut command = server.command(["sweep", "--orphans", "--older-than", "0s", "--force"]);
    let separator = if server.db.url().contains('?') { '&' } else { '?' };
    let read_only = format!("{}{separator}options=-c%20default_transaction_read_only%3Don", server.db.url());
    crate::harness::run(command.env("DATABASE_URL", read_only)).exits(3);
    assert_eq!(server.objects().len(), 2);
    server.store.remove(ORPHANS[0]);
}

#[test]
fn object_of_an_uncommitted_upload_is_no_orphan() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let _wire = RawClient::upload(&server, &system, &["Content-Length: 100"]);
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    let key = server.db.one("SELECT object_key FROM backups");
    server.store.write(&key, &bytes(100));
    let swept = server.cli(["sweep", "--orphans", "--older-than", "0s", "--force", "--json"]).exits(0).json();
    assert_eq!(swept["orphans_deleted"], 0, "{swept}");
    assert_eq!(server.store.read(&key).len(), 100);
}

#[test]
fn objects_of_uploads_under_way_are_no_orphans() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let system = server.system();
                let (server, over) = (&server, &over);
                scope.spawn(move || {
                    let mut stored = 0;
                    while !over.load(Ordering::Relaxed) || stored < 10 {
                        let body = bytes(70_000);
                        let id = server.upload(&system).chunked(body.clone()).send().id();
                        assert!(server.fetch(&system, &id).send().status(200).body == body);
                        server.store(&system, &bytes(1000));
                        stored += 1;
                    }
                })
            })
            .collect();
        let sweep = || server.cli(["sweep", "--orphans", "--older-than", "0s", "--force", "--json"]);
        let end = SetOnDrop(&over);
        let swept: Vec<_> = (0..25).map(|_| sweep()).collect();
        drop(end);
        for worker in workers {
            worker.join().expect("uploads succeed");
        }
        for sweep in swept {
            sweep.exits(0);
        }
    });
}
