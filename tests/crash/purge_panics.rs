//! The deletion of an object panics: the log, the metrics and health tell, and it stops no other deletion.

use crate::crash_fixture::CrashFixture;
use crate::harness::{TIMEOUT, assert_eventually, bytes};
use crate::panics::{Panicking, break_off_two, is_degraded, is_healthy, runs};

const RETIRED: &str = "SELECT count(*) FROM backups WHERE state = 'retired'";

/// Nobody has to wait until the claim of the purge expires.
#[test]
fn backup_whose_deletion_panicked_is_purged_by_a_later_run() {
    let mut fixture = CrashFixture::new();
    let panicking = Panicking::new();
    fixture.start_with_failpoint(panicking.at("purge.claimed"));
    let body = bytes(3000);
    let id = fixture.server.store(&fixture.system, &body);
    is_degraded(&fixture.server, "purge");
    drop(panicking);
    assert_eventually("the pruned backup is purged", TIMEOUT * 3, || fixture.server.db.number(RETIRED) == 0);
    is_healthy(&fixture.server);
    fixture.assert_consistent(&[fixture.kept[1].clone(), (id, body)]);
}

#[test]
fn deletion_that_always_panics_stops_no_other_deletion_of_its_batch() {
    let mut fixture = CrashFixture::new();
    for aborted in [2, 4] {
        break_off_two(&fixture);
        assert_eventually("they are aborted", TIMEOUT, || fixture.server.db.number(RETIRED) == aborted);
    }
    let poisoned =
        fixture.server.db.all("SELECT id::text FROM backups WHERE state = 'retired' LIMIT 1").remove(0);
    let panicking = Panicking::new();
    fixture.start_with_failpoint(panicking.at(&format!("purge.object.{poisoned}")));
    let server = &fixture.server;
    // One statement, so that one batch has all of them.
    server.db.execute("UPDATE backups SET purge_after = now() WHERE state = 'retired'");
    assert_eventually("the others are purged", TIMEOUT, || server.db.number(RETIRED) == 1);
    is_degraded(server, "purge");
    assert!(runs(server, "purge", "panic") > 0.5, "{}", server.metrics());
    let line = format!(
        "could not purge the backup {poisoned}: the deletion of its object panicked; trying again in 10 s"
    );
    assert!(server.log().contains(&line), "{}", server.log());
    assert_eq!(server.db.all("SELECT id::text FROM backups WHERE state = 'retired'"), [poisoned]);
    drop(panicking);
    assert_eventually("it is purged, too", TIMEOUT * 3, || server.db.number(RETIRED) == 0);
    is_healthy(server);
    fixture.assert_consistent(&fixture.kept);
}
