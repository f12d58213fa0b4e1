//! A process is killed while it removes something: a deletion, a prune, the purge after either.

use crate::crash_fixture::CrashFixture;
use crate::harness::{TIMEOUT, assert_eventually, bytes};

/// A system deletes its newest backup; `gone`: whether the backup is gone afterwards.
fn deletion_killed_at(point: &str, gone: bool) {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint(format!("kill {point}"));
    let newest = fixture.kept[1].0.clone();
    let path = format!("{}/{newest}", crate::harness::BACKUPS);
    let answer = fixture.server.request("DELETE", &path).user(&fixture.system).try_send();
    fixture.assert_killed(&answer);
    fixture.restart();
    fixture.assert_consistent(if gone { &fixture.kept[..1] } else { &fixture.kept });
    if gone {
        fixture.server.fetch(&fixture.system, &newest).send().is_not_found();
    }
}

#[test]
fn deletion_killed_before_its_commit_has_no_effect() {
    deletion_killed_at("accounting.written", false);
}

#[test]
fn deletion_killed_after_its_commit_is_finished() {
    deletion_killed_at("accounting.committed", true);
}

#[test]
fn purge_killed_after_its_claim_is_finished() {
    deletion_killed_at("purge.claimed", true);
}

#[test]
fn purge_killed_after_the_object_is_finished() {
    deletion_killed_at("purge.deleted", true);
}

#[test]
fn purge_killed_between_file_and_folder_is_finished() {
    needs_a_folder!();
    deletion_killed_at("local.removed", true);
}

/// An upload prunes and is answered; then the process is killed in its purge.
fn prune_killed_at(point: &str) {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint(format!("kill {point}"));
    let body = bytes(3000);
    let answer = fixture.server.upload(&fixture.system).body(body.clone()).try_send();
    assert_eventually("the purge reaches the failpoint", TIMEOUT, || fixture.server.exit_signal().is_some());
    fixture.restart();
    // The kill may come before or after the answer; the backup is stored either way.
    let id = fixture.server.ids(&fixture.system).swap_remove(0);
    if let Ok(answer) = answer {
        assert_eq!(answer.id(), id);
    }
    fixture.assert_consistent(&[fixture.kept[1].clone(), (id, body)]);
}

#[test]
fn prune_killed_after_the_claim_is_finished() {
    prune_killed_at("purge.claimed");
}

#[test]
fn prune_killed_after_the_object_is_finished() {
    prune_killed_at("purge.deleted");
}

/// The command is killed; the running service completes the work.
fn manual_deletion_killed_at(point: &str, gone: bool) {
    let mut fixture = CrashFixture::new();
    let oldest = fixture.kept[0].0.clone();
    fixture.assert_command_killed_beside_a_paused_service(
        &["backup", "delete", &oldest, "--yes"],
        &format!("kill {point}"),
    );
    fixture.server.kill();
    fixture.restart();
    fixture.assert_consistent(if gone { &fixture.kept[1..] } else { &fixture.kept });
}

#[test]
fn manual_deletion_killed_before_its_commit_has_no_effect() {
    manual_deletion_killed_at("accounting.written", false);
}

#[test]
fn manual_deletion_killed_after_its_claim_is_finished() {
    manual_deletion_killed_at("delete.claimed", true);
}

#[test]
fn manual_deletion_killed_after_the_object_is_finished() {
    manual_deletion_killed_at("delete.deleted", true);
}
