//! A process is killed during an upload.

use crate::crash_fixture::CrashFixture;
use crate::harness::{bytes, on_s3};

/// How the body is sent.
#[derive(Clone, Copy, Debug)]
enum Body {
    Small,
    /// It is not stored at once.
    SmallChunked,
    Known,
    Chunked,
    /// In an S3 store, more than one part.
    Long,
}

/// Before the commit, nothing of the upload is left. After it, the backup is stored, though the client got no
/// answer.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Gone,
    Stored,
}

#[track_caller]
fn upload_killed_at(point: &str, body: Body, then: Expected) {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint(format!("kill {point}"));
    let sent = bytes(match body {
        Body::Small | Body::SmallChunked => 2000,
        Body::Known | Body::Chunked => 3_000_000,
        Body::Long => 9_000_000,
    });
    let request = fixture.server.upload(&fixture.system);
    let answer = match body {
        Body::Small | Body::Known => request.body(sent.clone()),
        Body::SmallChunked | Body::Chunked | Body::Long => request.chunked(sent.clone()),
    }
    .try_send();
    assert!(answer.is_err(), "a killed process cannot have answered {answer:?}");
    fixture.assert_killed(&answer);
    fixture.restart();
    let mut expected = fixture.kept.clone();
    if then == Expected::Stored {
        let id = fixture.server.ids(&fixture.system).swap_remove(0);
        expected.remove(0);
        expected.push((id, sent));
    }
    fixture.assert_consistent(&expected);
}

/// Makes one test for each point.
macro_rules! killed_uploads {
    ($($name:ident: $point:literal, $body:ident, $then:ident;)*) => {
        $(#[test]
        fn $name() {
            upload_killed_at($point, Body::$body, Expected::$then);
        })*
    };
}

killed_uploads! {
    upload_killed_after_authentication: "upload.authenticated", Known, Gone;
    upload_killed_before_the_admissions_commit: "accounting.written", Known, Gone;
    upload_killed_right_after_the_admissions_commit: "accounting.committed", Known, Gone;
    upload_killed_before_its_first_byte: "upload.admitted", Known, Gone;
    chunked_upload_killed_before_its_first_chunk: "upload.admitted", Chunked, Gone;
    upload_killed_in_the_middle_of_the_body: "upload.chunk 20", Known, Gone;
    chunked_upload_killed_in_the_middle_of_the_body: "upload.chunk 20", Chunked, Gone;
    upload_killed_after_the_last_byte: "upload.received", Known, Gone;
    small_upload_killed_after_the_last_byte: "upload.received", SmallChunked, Gone;
    chunked_upload_killed_after_the_last_chunk: "upload.received", Chunked, Gone;
    upload_killed_between_object_and_commit: "upload.stored", Known, Gone;
    upload_killed_inside_the_commit: "accounting.written 2", Known, Gone;
    chunked_upload_killed_inside_the_commit: "accounting.written 2", Chunked, Gone;
    upload_killed_between_commit_and_answer: "accounting.committed 2", Known, Stored;
    chunked_upload_killed_between_commit_and_answer: "accounting.committed 2", Chunked, Stored;
}

/// Makes tests for points that only one kind of store has.
macro_rules! killed_uploads_in_a_store {
    ($on_s3:literal: $($name:ident: $point:literal, $body:ident, $then:ident;)*) => {
        $(#[test]
        fn $name() {
            if on_s3() == $on_s3 {
                upload_killed_at($point, Body::$body, Expected::$then);
            } else {
                println!("skipped: about the other sort of store");
            }
        })*
    };
}

killed_uploads_in_a_store! {
    false:
    upload_killed_after_creating_the_file: "local.created", Known, Gone;
    upload_killed_after_writing_the_file: "local.written", Known, Gone;
    upload_killed_after_syncing_the_file: "local.synced", Known, Gone;
    chunked_upload_killed_after_syncing_the_file: "local.synced", Chunked, Gone;
    upload_killed_after_renaming_the_file: "local.renamed", Known, Gone;
    small_upload_killed_after_syncing_the_folder: "local.published", SmallChunked, Gone;
}

// A small body that arrives at once is put ahead of the one transaction.
killed_uploads_in_a_store! {
    false:
    upload_at_once_killed_after_writing_the_file: "local.ahead.written", Small, Gone;
    upload_at_once_killed_after_linking_the_file: "local.ahead.linked", Small, Gone;
    upload_at_once_killed_after_the_syncs: "local.ahead.synced", Small, Gone;
    upload_at_once_killed_before_its_transaction: "upload.ahead", Small, Gone;
    upload_at_once_killed_inside_its_transaction: "accounting.written", Small, Gone;
    upload_at_once_killed_between_commit_and_answer: "accounting.committed", Small, Stored;
}

killed_uploads_in_a_store! {
    true:
    small_upload_killed_after_sending_it_to_the_engine: "s3.sent", Small, Gone;
    upload_killed_after_streaming_it_to_the_engine: "s3.streamed", Known, Gone;
    multipart_upload_killed_before_its_first_part: "s3.created", Long, Gone;
    multipart_upload_killed_after_its_last_part: "s3.parts_sent", Long, Gone;
    multipart_upload_killed_after_its_completion: "s3.completed", Long, Gone;
}

#[test]
fn upload_killed_while_aborting_is_cleaned_up() {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint("kill abort.retired");
    let wrong = crate::harness::digest_field(b"another");
    let answer = fixture
        .server
        .upload(&fixture.system)
        .header("content-digest", wrong)
        .body(bytes(3_000_000))
        .try_send();
    fixture.assert_killed(&answer);
    fixture.restart();
    fixture.assert_consistent(&fixture.kept);
}
