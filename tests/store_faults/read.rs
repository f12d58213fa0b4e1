//! All calls except puts.

use std::future::Future;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use strongroom::store::{BlobStore, StoreError};

use crate::engine::Fault;
use crate::fixture::{FaultFixture, content, key};

const SIZE: usize = 300_000;

/// Calls with each fault in turn, each with a fixture of its own, and once more afterwards.
async fn ask_during<T: std::fmt::Debug, F: Future<Output = Result<T, StoreError>>>(
    faults: &[Fault],
    hits: fn(&str) -> bool,
    ask: impl Fn(std::sync::Arc<FaultFixture>, strongroom::domain::object_key::ObjectKey) -> F,
) {
    let ask = &ask;
    join_all(faults.iter().map(|&fault| async move {
        let fixture = std::sync::Arc::new(FaultFixture::new().await);
        let (key, put) = fixture.put(SIZE, true).await;
        put.unwrap();
        let result = fixture.during(fault, hits, ask(std::sync::Arc::clone(&fixture), key.clone())).await;
        match (fault, &result) {
            (Fault::Error500Once, Ok(_)) | (_, Err(StoreError::Unavailable { .. })) => {}
            other => panic!("{other:?}"),
        }
        ask(std::sync::Arc::clone(&fixture), key.clone()).await.unwrap();
        fixture.store.delete(&key).await.unwrap();
        fixture.assert_clean(&format!("{fault:?}")).await;
    }))
    .await;
}

const SILENT: [Fault; 7] = [
    Fault::Refused,
    Fault::Reset,
    Fault::BlackHole,
    Fault::Error500Once,
    Fault::Error500,
    Fault::Trickle,
    Fault::AnswerLost,
];

fn with<const N: usize>(more: [Fault; N]) -> Vec<Fault> {
    SILENT.into_iter().chain(more).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_is_read_whole_or_with_an_error() {
    let faults = with([Fault::CutAnswer, Fault::ErrorIn200, Fault::Garbage]);
    let get = |line: &str| line.starts_with("GET") && line.contains("/acme/");
    ask_during(&faults, get, |fixture, key| async move {
        let bytes = fixture.read(&key, SIZE).await?;
        assert!(bytes == content(SIZE), "{} bytes came", bytes.len());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_is_complete_or_an_error() {
    let faults = with([Fault::CutAnswer, Fault::ErrorIn200, Fault::Garbage]);
    ask_during(
        &faults,
        |line| line.contains("list-type=2"),
        |fixture, key| async move {
            let found: Vec<_> = fixture.store.list("acme/").try_collect().await?;
            assert_eq!(found.len(), 1);
            assert_eq!((&found[0].key, found[0].size), (&key, SIZE as u64));
            Ok(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_of_an_object_is_right_or_an_error() {
    ask_during(
        &SILENT,
        |line| line.starts_with("HEAD"),
        |fixture, key| async move {
            assert_eq!(fixture.store.head(&key).await?, SIZE as u64);
            Ok(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_fails_may_be_repeated() {
    ask_during(
        &SILENT,
        |line| line.starts_with("DELETE"),
        |fixture, key| async move { fixture.store.delete(&key).await },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_fails_while_nothing_can_be_written() {
    let faults = with([Fault::ErrorIn200, Fault::Garbage]);
    ask_during(
        &faults,
        |line| line.starts_with("PUT"),
        |fixture, _| async move { fixture.store.check().await },
    )
    .await;
}

/// A write costs more than a read, so a check does not repeat it each second while all is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_after_a_write_only_reads_and_one_after_a_failure_writes() {
    let fixture = FaultFixture::new().await;
    let told = |result: Result<(), StoreError>| result.unwrap_err().to_string();
    fixture.store.check().await.unwrap();
    let asks: fn(&str) -> bool = |line| line.starts_with("HEAD");
    let asked = fixture.during(Fault::Error500, asks, fixture.store.check()).await;
    assert!(told(asked).contains("HeadBucket"));
    let writes: fn(&str) -> bool = |line| line.starts_with("PUT") && line.contains(".strongroom/probe-");
    for _ in 0..2 {
        let wrote = told(fixture.during(Fault::Error500, writes, fixture.store.check()).await);
        assert!(wrote.contains("PUT ") && wrote.contains(".strongroom/probe-"), "{wrote}");
        assert!(wrote.contains("the engine answered 500"), "{wrote}");
    }
    fixture.store.check().await.unwrap();
    fixture.assert_clean("checks").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_names_the_call_and_the_key() {
    let fixture = FaultFixture::new().await;
    let (key, put) = fixture.put(300_000, true).await;
    put.unwrap();
    let all: fn(&str) -> bool = |_| true;
    let read = fixture.during(Fault::Error500, all, fixture.read(&key, 300_000)).await.unwrap_err();
    let head = fixture.during(Fault::Error500, all, fixture.store.head(&key)).await.unwrap_err();
    let delete = fixture.during(Fault::Error500, all, fixture.store.delete(&key)).await.unwrap_err();
    for (error, call) in [(read, "GetObject"), (head, "HeadObject"), (delete, "DeleteObject")] {
        let message = error.to_string();
        assert!(message.contains(&format!("{call} {key}: the engine answered 500")), "{message}");
    }
    for (size, call) in [(1000, "PUT "), (8 << 20, "PutObject ")] {
        let (key, put) = fixture.during(Fault::Error500, all, fixture.put(size, true)).await;
        let message = put.unwrap_err().to_string();
        assert!(
            message.contains(call) && message.contains(key.as_str()) && message.contains("500"),
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_is_not_found_only_if_the_engine_says_so() {
    let fixture = FaultFixture::new().await;
    assert!(matches!(fixture.store.head(&key()).await, Err(StoreError::NotFound)));
    for fault in [Fault::Refused, Fault::Error500, Fault::Garbage] {
        let asked = fixture.during(fault, |line| line.starts_with("GET"), fixture.store.head(&key())).await;
        assert!(matches!(asked, Err(StoreError::Unavailable { .. })), "{fault:?}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_that_is_only_listed_is_not_found() {
    let fixture = FaultFixture::new().await;
    let lists: fn(&str) -> bool = |line| line.contains("list-type=");
    let asked = fixture.during(Fault::ListedAllTheSame, lists, fixture.store.head(&key())).await;
    assert!(matches!(asked, Err(StoreError::NotFound)), "{asked:?}");
}
