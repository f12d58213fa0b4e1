//! A process is paused until its lease is over and another process sweeps, and then continues: it is fenced, and
//! does no harm. (`shutdown/killed_process.rs` tests a pause in the middle of a body.)

use crate::crash_fixture::{CrashFixture, FAILPOINT};
use crate::harness::{Answer, Server, TIMEOUT, assert_eventually, bytes, on_s3};

/// Pauses an upload at the point, calls `meanwhile`, and lets the process continue. Returns the answer.
fn upload_paused_at(
    fixture: &mut CrashFixture,
    point: &str,
    body: &[u8],
    meanwhile: impl FnOnce(&CrashFixture, &Server),
) -> Answer {
    fixture.start_with_failpoint(format!("stop {point}"));
    let other = fixture.server.sibling_with(FAILPOINT, "");
    let answer = std::thread::scope(|scope| {
        let upload = scope.spawn(|| fixture.server.put(&fixture.system, body));
        assert_eventually("the process is paused", TIMEOUT, || fixture.server.is_stopped());
        meanwhile(fixture, &other);
        fixture.server.signal(libc::SIGCONT);
        upload.join().expect("an answer")
    });
    assert_eventually("both processes work", TIMEOUT, || {
        fixture.server.get("/api/health").send().status == 200
    });
    answer
}

fn abort_by_other(_: &CrashFixture, other: &Server) {
    assert_eventually("the other process aborts the upload", TIMEOUT * 2, || other.receiving() == 0);
}

#[track_caller]
fn assert_fenced(point: &str) {
    let mut fixture = CrashFixture::new();
    let answer = upload_paused_at(&mut fixture, point, &bytes(300_000), abort_by_other);
    assert_eq!(answer.status, 503, "the row was gone: {answer}");
    fixture.assert_consistent(&fixture.kept);
}

#[test]
fn upload_paused_after_its_last_byte_stores_nothing() {
    assert_fenced("upload.received");
}

#[test]
fn upload_paused_before_the_file_is_renamed_removes_the_late_object() {
    if !on_s3() {
        assert_fenced("local.synced");
    }
}

#[test]
fn upload_paused_after_the_file_is_renamed_stores_nothing() {
    if !on_s3() {
        assert_fenced("local.renamed");
    }
}

#[test]
fn upload_paused_between_object_and_commit_stores_nothing() {
    assert_fenced("upload.stored");
}

#[test]
fn upload_paused_inside_its_commit_stores_nothing() {
    assert_fenced("accounting.written 2");
}

#[test]
fn upload_paused_between_commit_and_answer_is_stored() {
    let mut fixture = CrashFixture::new();
    let body = bytes(300_000);
    let answer = upload_paused_at(&mut fixture, "accounting.committed 2", &body, |_, other| {
        let writers =
            "SELECT count(*) FROM writers WHERE lease_expires_at < clock_timestamp() - interval '1 second'";
        assert_eventually("its lease is long over", TIMEOUT, || other.db.number(writers) > 0);
        assert_eq!(other.receiving(), 0);
    });
    let id = answer.id();
    fixture.assert_consistent(&[fixture.kept[1].clone(), (id, body)]);
}

#[test]
fn upload_paused_while_its_system_is_destroyed_stores_nothing() {
    let mut fixture = CrashFixture::new();
    let answer = upload_paused_at(&mut fixture, "upload.stored", &bytes(300_000), |fixture, other| {
        other.cli(["system", "destroy", &fixture.system.key, "--yes"]).exits(0);
    });
    answer.is_invalid_token();
    assert_eventually("nothing is left", TIMEOUT, || fixture.server.objects().is_empty());
    crate::crash_fixture::assert_cleaned_up(&fixture.server);
    assert_eq!(fixture.server.db.number("SELECT count(*) FROM systems"), 0);
}

#[test]
fn purge_paused_after_its_claim_does_no_harm_when_another_was_faster() {
    let mut fixture = CrashFixture::new();
    let body = bytes(3000);
    let answer = upload_paused_at(&mut fixture, "purge.claimed", &body, |_, other| {
        other.db.execute(
            "UPDATE backups SET purge_started_at = now() - interval '2 minutes' WHERE state = 'retired'",
        );
        let retired = "SELECT count(*) FROM backups WHERE state = 'retired'";
        assert_eventually("the other purges", TIMEOUT, || other.db.number(retired) == 0);
    });
    fixture.assert_consistent(&[fixture.kept[1].clone(), (answer.id(), body)]);
}
