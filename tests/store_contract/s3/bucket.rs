//! The content of a bucket, and what the first check refuses.

use std::sync::Arc;
use std::time::Duration;

use rusoto_s3::{HeadObjectRequest, S3};
use strongroom::store::{BlobStore, S3Settings, S3Store, StoreError};

use super::{new_bucket, settings, subject_in};
use crate::engine;
use crate::fixture::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_in_a_bucket_have_their_metadata() {
    use sha2::Digest as _;
    let bucket = Arc::new(new_bucket().await);
    let subject = subject_in(&bucket).await;
    for (size, length) in [(1000, Some(1000)), (1000, None), (300_000, Some(300_000)), (9 << 20, None)] {
        let (key, content) = (key("acme", "fw-01"), content(1, size));
        subject.store.put(&key, length, metadata(), whole(&content)).await.unwrap();
        let request =
            HeadObjectRequest { bucket: bucket.name.clone(), key: key.to_string(), ..Default::default() };
        let head = bucket.ask(|client| async move { client.head_object(request).await }).unwrap();
        assert_eq!(head.content_type.as_deref(), Some("application/pgp-encrypted"), "{size}");
        let metadata = head.metadata.unwrap();
        assert_eq!(metadata["filename"], "fw-01.tar.gz.gpg");
        assert_eq!(metadata["system-id"], crate::fixture::metadata().system_id.to_string());
        if size == 1000 {
            assert_eq!(metadata["sha256"], hex::encode(sha2::Sha256::digest(&content)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permanent_errors_of_a_bucket_are_refused_in_one_line() {
    let bucket = new_bucket().await;
    let right = settings(&bucket);
    for (wrong, word) in [
        (S3Settings { bucket: "no-such-bucket".to_owned(), ..right.clone() }, "no-such-bucket"),
        (S3Settings { secret_key: "wrong".into(), ..right.clone() }, "S3_"),
        (
            S3Settings { access_key: "GKffffffffffffffffffffffff".to_owned(), ..right.clone() },
            "S3_ACCESS_KEY",
        ),
    ] {
        match S3Store::new(&wrong).unwrap().prepare(true).await {
            Err(StoreError::Refused(line)) => {
                assert!(line.contains(word) && !line.contains('\n'), "{line}");
                println!("{line}");
            }
            other => panic!("{word}: {other:?}"),
        }
    }
    // This port refuses connections.
    let away = S3Settings { endpoint: "http://127.0.0.1:1".to_owned(), ..right };
    assert!(is_unavailable(&S3Store::new(&away).unwrap().prepare(true).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_bucket_is_unavailable_and_not_not_found() {
    let bucket = new_bucket().await;
    let store =
        S3Store::new(&S3Settings { bucket: "no-such-bucket-2".to_owned(), ..settings(&bucket) }).unwrap();
    let key = key("acme", "fw-01");
    assert!(is_unavailable(&store.head(&key).await));
    assert!(is_unavailable(&store.delete(&key).await));
    // The engine in this process creates any bucket that is written to.
    if engine::is_real() {
        put_error(store.put(&key, Some(3), metadata(), whole(b"abc")).await);
        put_error(store.put(&key, Some(300_000), metadata(), whole(&content(1, 300_000))).await);
        put_error(store.put(&key, None, metadata(), whole(&content(1, 9 << 20))).await);
        assert!(is_unavailable(&store.check().await));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presigned_url_returns_the_object_without_credentials() {
    let bucket = Arc::new(new_bucket().await);
    let subject = subject_in(&bucket).await;
    let key = key("acme", "fw-01");
    subject.put(&key, b"the bytes").await;
    let url = subject.store.presign(&key, Duration::from_secs(60), "fw-01.gpg").unwrap();
    let get = |url: String| {
        tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let mut answer = agent.get(&url).call().unwrap();
            let disposition = answer.headers().get("content-disposition").cloned();
            (answer.status().as_u16(), disposition, answer.body_mut().read_to_vec().unwrap())
        })
    };
    let (status, _, bytes) = get(url.clone()).await.unwrap();
    assert_eq!((status, bytes.as_slice()), (200, &b"the bytes"[..]));
    let (status, _, _) = get(url.replace("fw-01.gpg", "other.gpg")).await.unwrap();
    assert_eq!(status, 403, "a changed URL is not valid");
}
