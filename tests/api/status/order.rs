//! What counts is the order in which uploads were sent, not the order in which they end.

use super::{refusal, status};
use crate::harness::{Disconnect, RawClient, Server, TIMEOUT, assert_eventually, bytes};

/// Sends the rest of what `half_an_upload` has begun.
fn finish(mut upload: RawClient) {
    upload.send(bytes(1_000_000));
    drop(upload.answer().status(201));
}

#[test]
fn upload_admitted_before_a_refusal_does_not_end_it() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 3_000_000).start();
    let system = server.system();
    let upload = RawClient::half_an_upload(&server, &system);
    server.put(&system, &bytes(3_000_001)).is_over_size(3_000_000);
    finish(upload);
    assert_eventually("it is refused", TIMEOUT, || refusal(&server, &system) == "size");
    server.store(&system, b"sent after the refusal");
    assert_eq!(status(&server, &system), "fresh");
}

#[test]
fn refusal_within_a_minute_of_another_one_stands_after_an_upload_admitted_between_them() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 3_000_000).start();
    let system = server.system();
    let refuse = || server.put(&system, &bytes(3_000_001)).is_over_size(3_000_000);
    refuse();
    assert_eventually("it is refused", TIMEOUT, || refusal(&server, &system) == "size");
    let upload = RawClient::half_an_upload(&server, &system);
    refuse();
    finish(upload);
    assert_eventually("it is refused", TIMEOUT, || refusal(&server, &system) == "size");
    server.store(&system, b"x");
    assert_eq!(status(&server, &system), "fresh");
    refuse();
    assert_eventually("it is refused again", TIMEOUT, || refusal(&server, &system) == "size");
}

#[test]
fn upload_that_fails_after_a_later_one_was_stored_is_no_refusal() {
    let server = Server::unlimited();
    let system = server.system();
    let upload = RawClient::half_an_upload(&server, &system);
    server.store(&system, b"sent after it");
    upload.disconnect(Disconnect::Rst);
    assert_eventually("it is aborted", TIMEOUT, || server.receiving() == 0);
    assert!(server.db.holds("(SELECT refused_at IS NULL FROM systems)"));
}

#[test]
fn refusal_by_one_process_is_ended_by_a_backup_through_another() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 1000).start();
    let other = server.sibling();
    let system = server.system();
    server.put(&system, &bytes(1001)).is_over_size(1000);
    assert_eventually("it is refused", TIMEOUT, || refusal(&server, &system) == "size");
    other.store(&system, b"x");
    assert_eq!(status(&server, &system), "fresh");
    // The process has refused an upload of this system a moment ago, and does not know of the backup.
    server.put(&system, &bytes(1001)).is_over_size(1000);
    assert_eventually("it is refused again", TIMEOUT, || refusal(&server, &system) == "size");
}

#[test]
fn refusal_right_before_a_graceful_stop_is_noted() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 1000).start();
    let system = server.system();
    for _ in 0..2 {
        server.put(&system, &bytes(1001)).is_over_size(1000);
    }
    assert!(server.stop_gracefully().success());
    assert_eq!(refusal(&server, &system), "size");
}

#[test]
fn newest_backup_may_have_been_sent_before_one_that_is_stored_already() {
    let server = Server::unlimited();
    let system = server.system();
    let slow = RawClient::half_an_upload(&server, &system);
    let fails = RawClient::upload(&server, &system, &["Content-Length: 2000000"]);
    assert_eventually("both are under way", TIMEOUT, || server.receiving() == 2);
    server.store(&system, b"sent last");
    finish(slow);
    fails.disconnect(Disconnect::Rst);
    assert_eventually("it is aborted", TIMEOUT, || server.receiving() == 0);
    assert!(server.db.holds("(SELECT refused_at IS NULL FROM systems)"));
}

#[test]
fn clock_that_was_set_back_does_not_hide_a_refusal_nor_keep_one() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 1000).start();
    let other = server.sibling();
    let system = server.system();
    server.store(&system, b"x");
    // What an hour ago was now.
    server.db.execute("UPDATE backups SET admitted_at = admitted_at + interval '1 hour'");
    other.put(&system, &bytes(1001)).is_over_size(1000);
    assert_eventually("it is refused", TIMEOUT, || refusal(&server, &system) == "size");
    assert!(
        server.db.holds("(SELECT refused_upload_at > (SELECT max(admitted_at) FROM backups) FROM systems)")
    );
    server.store(&system, b"sent after the refusal");
    assert_eq!(status(&server, &system), "fresh");
    let in_order = "(SELECT bool_and(admitted_at > before) FROM (SELECT admitted_at, lag(admitted_at) OVER (ORDER BY seq) AS before \
         FROM backups) AS each)";
    assert!(server.db.holds(in_order));
    other.put(&system, &bytes(1001)).is_over_size(1000);
    assert_eventually("it is refused again", TIMEOUT, || refusal(&server, &system) == "size");
}
