//! 413: the size of one upload and the quota of the organization, each to the byte.

use crate::harness::{RawClient, Server, TIMEOUT, assert_eventually, bytes};

const MIB: u64 = 1024 * 1024;

fn len(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a length")
}

#[test]
fn an_upload_of_exactly_the_maximum_is_stored_and_one_byte_more_is_not() {
    let server = Server::with([("BACKUP_MAX_UPLOAD_SIZE", "1000")]);
    let system = server.system();
    server.store(&system, &bytes(1000));
    server.upload(&system).chunked(bytes(1000)).send().id();
    let before = server.snapshot();
    server.put(&system, &bytes(1001)).is_over_size(1000);
    server.assert_refused(&before, &system, 2);
    server.upload(&system).chunked(bytes(1001)).send().is_over_size(1000);
    server.assert_refused(&before, &system, 3);
}

#[test]
fn maximum_size_applies_to_chunked_uploads() {
    let max = 9 * MIB;
    let server = Server::with([("BACKUP_MAX_UPLOAD_SIZE", &max.to_string())]);
    let system = server.system();
    server.upload(&system).chunked(bytes(len(max))).send().id();
    let before = server.snapshot();
    server.upload(&system).chunked(bytes(len(max) + 1)).send().is_over_size(max);
    server.assert_nothing_left(&before);
}

#[test]
fn length_beyond_64_bits_is_over_the_maximum() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    for length in [2_147_483_649, i64::MAX] {
        let mut raw = RawClient::upload(&server, &system, &[&format!("Content-Length: {length}")]);
        raw.answer().is_over_size(2_147_483_648);
    }
    server.assert_refused(&before, &system, 0);
}

#[test]
fn upload_over_quota_is_refused_and_leaves_no_object() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    let before = server.snapshot();
    server.put(&system, &bytes(1001)).is_over_quota();
    server.assert_refused(&before, &system, 0);
    server.upload(&system).chunked(bytes(1001)).send().is_over_quota();
    server.assert_nothing_left(&before);
}

#[test]
fn quota_is_filled_to_its_last_byte() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    server.store(&system, &bytes(600));
    server.upload(&system).chunked(bytes(400)).send().id();
    assert_eq!(server.totals(&system.org), (1000, 0));
    let before = server.snapshot();
    let sibling = server.add_system(&system.org, "another of the same organization");
    server.put(&sibling, b"x").is_over_quota();
    server.assert_refused(&before, &sibling, 0);
    server.upload(&sibling).chunked("x").send().is_over_quota();
    server.assert_nothing_left(&before);
    let stranger = server.system_with_quota(1000);
    server.store(&stranger, &bytes(1000));
}

#[test]
fn chunked_upload_fills_a_quota_that_is_no_multiple_of_the_step() {
    let quota = 10 * MIB + 5;
    let server = Server::start();
    let system = server.system_with_quota(quota);
    let before = server.snapshot();
    server.upload(&system).chunked(bytes(len(quota) + 1)).send().is_over_quota();
    server.assert_nothing_left(&before);
    let sibling = server.add_system(&system.org, "another of the same organization");
    server.upload(&sibling).chunked(bytes(len(quota))).send().id();
    assert_eq!(server.totals(&system.org), (quota.cast_signed(), 0));
}

#[test]
fn bytes_of_uploads_under_way_count_for_the_quota() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 600"]);
    raw.send(bytes(300));
    assert_eventually("admitted", TIMEOUT, || server.totals(&system.org) == (0, 600));
    let sibling = server.add_system(&system.org, "another of the same organization");
    server.put(&sibling, &bytes(401)).is_over_quota();
    server.store(&sibling, &bytes(400));
    assert_eq!(server.totals(&system.org), (400, 600));
    raw.send(bytes(300));
    raw.answer().id();
    assert_eq!(server.totals(&system.org), (1000, 0));
}

#[test]
fn deletion_frees_bytes_of_the_quota() {
    let server = Server::unlimited();
    let system = server.system_with_quota(1000);
    let id = server.store(&system, &bytes(1000));
    let sibling = server.add_system(&system.org, "another of the same organization");
    server.put(&sibling, &bytes(1000)).is_over_quota();
    server.delete(&system, &id).status(200);
    assert_eventually("there is space again", TIMEOUT, || server.put(&sibling, &bytes(1000)).status == 201);
    assert_eq!(server.totals(&system.org), (1000, 0));
}

#[test]
fn organization_without_a_quota_has_the_default() {
    let server = Server::with([("BACKUP_MAX_SIZE_PER_ORG", "500")]);
    let plain = server.system();
    server.put(&plain, &bytes(501)).is_over_quota();
    let own = server.system_with_quota(501);
    server.store(&own, &bytes(501));
    server.cli(["org", "set-quota", &own.org, "default"]).exits(0);
    assert_eventually("the default", TIMEOUT, || server.put(&own, b"x").status == 413);
    server.cli(["org", "set-quota", &plain.org, "none"]).exits(0);
    assert_eventually("no quota", TIMEOUT, || server.put(&plain, &bytes(501)).status == 201);
}

#[test]
fn default_quota_of_zero_means_no_quota_and_is_logged_at_the_start() {
    let server = Server::with([("BACKUP_MAX_SIZE_PER_ORG", "0")]);
    let system = server.system();
    server.store(&system, &bytes(100_000));
    assert!(server.log().to_lowercase().contains("quota"), "the log says that there is no quota");
}

#[test]
fn lowered_quota_deletes_no_backup() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    let id = server.store(&system, &bytes(1000));
    server.cli(["org", "set-quota", &system.org, "10"]).exits(0);
    assert_eventually("the new quota applies", TIMEOUT, || server.put(&system, &bytes(11)).status == 413);
    assert_eq!(server.ids(&system), [id]);
    assert_eq!(server.totals(&system.org), (1000, 0));
}

#[test]
fn upload_that_no_longer_fits_at_its_end_is_aborted() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 600"]);
    raw.send(bytes(300));
    assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
    server.cli(["org", "set-quota", &system.org, "100"]).exits(0);
    raw.send(bytes(300));
    raw.answer().is_over_quota();
    server.assert_nothing_left(&before);
}
