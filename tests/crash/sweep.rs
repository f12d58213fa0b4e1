//! A sweep is killed half-way: the next one completes it.

use crate::crash_fixture::CrashFixture;
use crate::harness::{RawClient, TIMEOUT, assert_eventually};

/// A process is killed with an upload under way; then another in its sweep; then a process starts that is not
/// killed.
fn sweep_killed_at(point: &str) {
    let mut fixture = CrashFixture::new();
    let _raw = RawClient::half_an_upload(&fixture.server, &fixture.system);
    fixture.server.kill();
    assert_eventually("its lease is over", TIMEOUT, || {
        fixture.server.db.holds(
            "NOT EXISTS (SELECT FROM writers WHERE lease_expires_at > clock_timestamp() - interval '1 second')",
        )
    });
    fixture.assert_command_killed(&["sweep"], &format!("kill {point}"));
    fixture.server.audit_is_clean();
    fixture.restart();
    fixture.assert_consistent(&fixture.kept);
}

#[test]
fn sweep_killed_after_finding_an_upload_is_repeated_by_the_next() {
    sweep_killed_at("sweep.found");
}

#[test]
fn sweep_killed_inside_its_commit_is_repeated_by_the_next() {
    sweep_killed_at("accounting.written");
}

#[test]
fn sweep_killed_after_retiring_the_row_is_finished_by_the_next() {
    sweep_killed_at("sweep.retired");
}

#[test]
fn sweep_killed_before_removing_leftovers_is_finished_by_the_next() {
    sweep_killed_at("sweep.looked");
}
