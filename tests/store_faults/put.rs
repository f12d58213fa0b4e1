//! Puts: whole, streamed, in parts.

use futures_util::future::join_all;
use strongroom::store::{PutError, StoreError};

use crate::engine::{Fault, is_real};
use crate::fixture::FaultFixture;

fn whole(line: &str) -> bool {
    line.starts_with("PUT") && !line.contains("partNumber")
}

fn creates(line: &str) -> bool {
    line.starts_with("POST") && line.contains("uploads")
}

fn part(line: &str) -> bool {
    line.contains("partNumber")
}

fn completes(line: &str) -> bool {
    line.starts_with("POST") && line.contains("uploadId")
}

fn aborts(line: &str) -> bool {
    line.starts_with("DELETE") && line.contains("uploadId")
}

fn is_store_error<T: std::fmt::Debug>(what: &str, result: &Result<T, PutError>) {
    let unavailable = matches!(result, Err(PutError::Store(StoreError::Unavailable { .. })));
    assert!(unavailable, "{what}: {result:?}");
}

const ALL: [Fault; 9] = [
    Fault::Refused,
    Fault::Reset,
    Fault::BlackHole,
    Fault::Error500Once,
    Fault::Error500,
    Fault::Trickle,
    Fault::AnswerLost,
    Fault::ErrorIn200,
    Fault::Garbage,
];

/// Puts with each fault in turn, each with a fixture of its own: the put fails in time, unless its fault is in
/// `stored`.
async fn put_during(call: &str, hits: fn(&str) -> bool, size: usize, known: bool, stored: &[Fault]) {
    let cases = ALL.map(|fault| async move {
        let what = format!("{call}, {fault:?}");
        let fixture = FaultFixture::new().await;
        let (key, result) = fixture.during(fault, hits, fixture.put(size, known)).await;
        if stored.contains(&fault) {
            assert_eq!(result.unwrap(), size as u64, "{what}");
            fixture.wait_until_idle().await;
            assert!(fixture.read(&key, size).await.unwrap() == crate::fixture::content(size), "{what}");
            strongroom::store::BlobStore::delete(&fixture.store, &key).await.unwrap();
        } else {
            is_store_error(&what, &result);
        }
        // An upload whose id did not arrive can only be found by listing.
        let unknown = call == "create" && matches!(fault, Fault::AnswerLost | Fault::Trickle);
        if unknown {
            fixture.sweep().await;
        }
        if !unknown || is_real() {
            fixture.assert_clean(&what).await;
        }
        fixture.assert_works(size, known).await;
    });
    println!("{call}:");
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_put_is_repeated_and_then_refused() {
    put_during("small put", whole, 10_000, true, &[Fault::Error500Once]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_streamed_put_is_refused() {
    put_during("streamed put", whole, 8 << 20, true, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creation_of_a_multipart_upload_is_repeated_and_then_refused() {
    put_during("create", creates, 9 << 20, false, &[Fault::Error500Once]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn part_is_repeated_and_then_refused() {
    put_during("part", part, 9 << 20, false, &[Fault::Error500Once]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completed_multipart_upload_is_trusted_only_if_the_object_exists() {
    // When only the answer was lost, or never ends, the object exists.
    let stored = [Fault::Error500Once, Fault::AnswerLost, Fault::Trickle];
    put_during("complete", completes, 9 << 20, false, &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn multipart_upload_that_cannot_be_aborted_is_left_to_the_sweep() {
    let fixture = FaultFixture::new().await;
    let body = async {
        let chunk = Ok(crate::fixture::content(9 << 20).into());
        let broken: Vec<Result<bytes::Bytes, _>> = vec![chunk, Err(strongroom::store::BodyInterrupted)];
        let body = Box::pin(futures_util::stream::iter(broken));
        let result = strongroom::store::BlobStore::put(
            &fixture.store,
            &crate::fixture::key(),
            None,
            &crate::fixture::metadata(),
            body,
        )
        .await;
        fixture.wait_until_idle().await;
        result
    };
    let result = fixture.during(Fault::Error500, aborts, body).await;
    assert!(matches!(result, Err(PutError::BodyInterrupted)), "{result:?}");
    fixture.sweep().await;
    if is_real() {
        fixture.assert_clean("abort").await;
    }
    fixture.assert_works(9 << 20, false).await;
}
