//! The roll back of an upload panics: the log, the metrics and health tell, and it stops no other roll back.

use crate::crash_fixture::{CrashFixture, FAILPOINT};
use crate::harness::{RawClient, TIMEOUT, assert_eventually, bytes};
use crate::panics::{Panicking, is_degraded, is_healthy, runs};

#[test]
fn roll_back_that_always_panics_stops_no_other_roll_back() {
    let mut fixture = CrashFixture::new();
    let _uploads = [(); 3].map(|()| {
        let mut raw = RawClient::upload(&fixture.server, &fixture.system, &["Content-Length: 2000000"]);
        raw.send(bytes(1000));
        raw
    });
    let receiving = "SELECT id::text FROM backups WHERE state = 'receiving' ORDER BY id";
    assert_eventually("all were admitted", TIMEOUT, || fixture.server.receiving() == 3);
    let poisoned = fixture.server.db.all(receiving).remove(0);
    fixture.server.kill();
    let panicking = Panicking::new();
    fixture.server =
        fixture.server.sibling_with(FAILPOINT, panicking.at(&format!("sweep.upload.{poisoned}")));
    let server = &fixture.server;
    assert_eventually("the others are rolled back", TIMEOUT * 2, || server.receiving() == 1);
    is_degraded(server, "sweep");
    assert!(runs(server, "sweep", "panic") > 0.5, "{}", server.metrics());
    let line = format!("the roll back of the upload {poisoned} panicked; the next sweep tries again");
    assert!(server.log().contains(&line), "{}", server.log());
    assert_eq!(server.db.all(receiving), [poisoned]);
    drop(panicking);
    assert_eventually("it is rolled back, too", TIMEOUT * 3, || server.receiving() == 0);
    is_healthy(server);
    fixture.assert_consistent(&fixture.kept);
}
