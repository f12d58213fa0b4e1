//! A process that dies in an upload.

use crate::crash_fixture::CrashFixture;
use crate::harness::{bytes, on_s3};

/// How the body comes.
#[derive(Clone, Copy, Debug)]
enum Body {
    Small,
    Known,
    Chunked,
    /// In more than one part, on an engine.
    Long,
}

/// Before the commit: the upload never was. After it: it is there, though nobody was told.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Gone,
    Stored,
}

#[track_caller]
fn dies(point: &str, body: Body, then: Then) {
    let mut fixture = CrashFixture::new();
    fixture.doom(format!("kill {point}"));
    let sent = bytes(match body {
        Body::Small => 2000,
        Body::Known | Body::Chunked => 3_000_000,
        Body::Long => 9_000_000,
    });
    let request = fixture.server.upload(&fixture.system);
    let answer = match body {
        Body::Small | Body::Known => request.body(sent.clone()),
        Body::Chunked | Body::Long => request.chunked(sent.clone()),
    }
    .try_send();
    assert!(answer.is_err(), "nobody was left to say {answer:?}");
    fixture.dies(&answer);
    fixture.restart();
    let mut expected = fixture.kept.clone();
    if then == Then::Stored {
        let id = fixture.server.ids(&fixture.system).swap_remove(0);
        expected.remove(0);
        expected.push((id, sent));
    }
    fixture.is_whole(&expected);
}

/// One test for each point, named after it.
macro_rules! deaths {
    ($($name:ident: $point:literal, $body:ident, $then:ident;)*) => {
        $(#[test]
        fn $name() {
            dies($point, Body::$body, Then::$then);
        })*
    };
}

deaths! {
    dead_after_authentication: "upload.authenticated", Known, Gone;
    dead_before_the_admissions_commit: "books.written", Known, Gone;
    dead_right_after_the_admissions_commit: "books.committed", Known, Gone;
    dead_when_admitted_and_before_any_byte: "upload.admitted", Known, Gone;
    dead_when_admitted_and_before_any_chunk: "upload.admitted", Chunked, Gone;
    dead_in_the_middle_of_the_body: "upload.chunk 20", Known, Gone;
    dead_in_the_middle_of_a_chunked_body: "upload.chunk 20", Chunked, Gone;
    dead_after_the_last_byte: "upload.received", Known, Gone;
    dead_after_the_last_byte_of_a_small_one: "upload.received", Small, Gone;
    dead_after_the_last_chunk: "upload.received", Chunked, Gone;
    dead_when_the_object_is_there_and_the_row_does_not_say_so: "upload.stored", Known, Gone;
    dead_inside_the_commit: "books.written 2", Known, Gone;
    dead_inside_the_commit_of_a_chunked_one: "books.written 2", Chunked, Gone;
    dead_between_commit_and_answer: "books.committed 2", Known, Stored;
    dead_between_commit_and_answer_of_a_chunked_one: "books.committed 2", Chunked, Stored;
}

/// The same for points that one sort of store has.
macro_rules! deaths_in_a_store {
    ($on_s3:literal: $($name:ident: $point:literal, $body:ident;)*) => {
        $(#[test]
        fn $name() {
            if on_s3() == $on_s3 {
                dies($point, Body::$body, Then::Gone);
            } else {
                println!("skipped: about the other sort of store");
            }
        })*
    };
}

deaths_in_a_store! {
    false:
    dead_when_the_file_is_made_and_empty: "local.created", Known;
    dead_when_the_file_is_written: "local.written", Known;
    dead_when_the_file_is_synced: "local.synced", Known;
    dead_when_a_chunked_file_is_synced: "local.synced", Chunked;
    dead_when_the_file_has_its_name: "local.renamed", Known;
    dead_when_the_file_has_its_name_for_good: "local.published", Small;
}

deaths_in_a_store! {
    true:
    dead_when_the_engine_has_a_small_one: "s3.sent", Small;
    dead_when_the_engine_has_it: "s3.streamed", Known;
    dead_when_the_engine_awaits_parts: "s3.created", Long;
    dead_when_the_engine_has_all_parts: "s3.parts_sent", Long;
    dead_when_the_engine_has_joined_the_parts: "s3.completed", Long;
}

#[test]
fn dead_in_taking_a_failed_upload_back() {
    let mut fixture = CrashFixture::new();
    fixture.doom("kill abort.retired");
    let wrong = crate::harness::digest_field(b"another");
    let answer = fixture
        .server
        .upload(&fixture.system)
        .header("content-digest", wrong)
        .body(bytes(3_000_000))
        .try_send();
    fixture.dies(&answer);
    fixture.restart();
    fixture.is_whole(&fixture.kept);
}
