//! Putting an object: whole, or not at all.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use strongroom::store::{BodyInterrupted, PutError};

use crate::fixture::*;

/// Longer than any step on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

pub async fn object_is_read_back_as_it_was_put(subject: &Subject) {
    const BATCH: usize = 256 << 10;
    for size in [0, 1, 4096, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 17, 9 << 20] {
        for chunk in [1000, 64 << 10, 16 << 20] {
            for known in [true, false] {
                let (key, content) = (key("acme", "fw-01"), content(size as u64, size));
                let length = known.then_some(size as u64);
                let stored = subject.store.put(&key, length, metadata(), chunked(&content, chunk)).await;
                assert_eq!(stored.unwrap(), size as u64);
                assert_eq!(subject.store.head(&key).await.unwrap(), size as u64);
                assert!(subject.read(&key).await.unwrap() == content, "{size} {chunk}");
            }
        }
    }
    let (empty_chunks, stored) = (key("acme", "fw-01"), content(1, 10));
    let pieces = [&b""[..], &stored[..4], b"", &stored[4..], b""];
    let pieces = pieces.map(Bytes::copy_from_slice).map(Ok).to_vec();
    let put = subject.store.put(&empty_chunks, Some(10), metadata(), body(pieces));
    assert_eq!(put.await.unwrap(), 10);
    assert_eq!(subject.read(&empty_chunks).await.unwrap(), stored);
    subject.assert_no_leftovers().await;
}

pub async fn object_is_invisible_until_its_put_is_done(subject: &Subject) {
    let (key, content) = (key("acme", "fw-01"), content(1, 700_000));
    let (sender, body) = channel();
    let put = subject.store.put(&key, None, metadata(), body);
    let sent = async {
        for chunk in content.chunks(100_000) {
            sender.send(Bytes::copy_from_slice(chunk)).await.unwrap();
            assert!(is_not_found(&subject.store.head(&key).await));
            assert!(is_not_found(&subject.read(&key).await));
            assert_eq!(subject.keys("").await, Vec::<String>::new());
        }
        drop(sender);
    };
    // While the put ends, the object is either absent or complete.
    let seen = async {
        loop {
            if let Ok(size) = subject.store.head(&key).await {
                assert_eq!(size, 700_000);
                assert!(subject.read(&key).await.unwrap() == content);
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let (size, (), ()) = tokio::join!(put, sent, seen);
    assert_eq!(size.unwrap(), 700_000);
    assert_eq!(subject.keys("").await, [key.to_string()]);
}

pub async fn an_interrupted_body_leaves_nothing(subject: &Subject) {
    for (size, length) in [
        (0, None),
        (0, Some(0)),
        (1, None),
        (300_000, None),
        (300_000, Some(400_000)),
        (300_000, Some(300_000)),
        (9 << 20, None),
    ] {
        let key = key("acme", "fw-01");
        let broken = whole(&content(1, size)).chain(stream::iter([Err(BodyInterrupted)]));
        let result = subject.store.put(&key, length, metadata(), Box::pin(broken)).await;
        assert!(matches!(result, Err(PutError::BodyInterrupted)), "{size}: {result:?}");
        subject.assert_nothing_of(&key).await;
    }
}

pub async fn a_body_of_another_length_leaves_nothing(subject: &Subject) {
    for (size, length) in [(0, 1), (1, 2), (300_000, 300_001), (9 << 20, 10 << 20)] {
        let key = key("acme", "fw-01");
        let body = whole(&content(1, size));
        let result = subject.store.put(&key, Some(length), metadata(), body).await;
        let Err(PutError::Length { declared, got }) = result else {
            panic!("{size} of {length}: {result:?}");
        };
        assert_eq!((declared, got), (length, size as u64));
        subject.assert_nothing_of(&key).await;
    }
    for (size, length) in [(1, 0), (2, 1), (300_001, 300_000), (9 << 20, 1)] {
        let key = key("acme", "fw-01");
        let body = whole(&content(1, size));
        let result = subject.store.put(&key, Some(length), metadata(), body).await;
        let Err(PutError::Length { declared, got }) = result else {
            panic!("{size} of {length}: {result:?}");
        };
        assert!(declared == length && got > length && got <= size as u64);
        subject.assert_nothing_of(&key).await;
    }
}

pub async fn body_longer_than_declared_is_read_no_further(subject: &Subject) {
    let key = key("acme", "fw-01");
    let chunk = Bytes::from(content(1, 10_000));
    let much = Box::pin(stream::repeat(Ok(chunk)).take(10_000));
    let result = subject.store.put(&key, Some(1 << 20), metadata(), much).await;
    assert!(matches!(result, Err(PutError::Length { got, .. }) if got < 10 << 20));
    subject.assert_nothing_of(&key).await;
}

pub async fn a_put_dropped_while_it_waits_leaves_nothing(subject: &Subject) {
    for chunks in 0..4 {
        let key = key("acme", "fw-01");
        let (sender, body) = channel();
        let mut put = subject.store.put(&key, None, metadata(), body);
        let send = async {
            for seed in 0..chunks {
                let chunk = content(seed, 300_000).into();
                sender.send(chunk).await.unwrap();
            }
            // The chunk is taken, and written or about to be.
            sender.reserve().await.unwrap();
        };
        tokio::select! {
            result = Pin::as_mut(&mut put) => panic!("{result:?}"),
            () = send => {}
        }
        drop(put);
        subject.assert_nothing_of(&key).await;
        // The current step may still hold the body.
        let dropped = tokio::time::timeout(TIMEOUT, sender.closed()).await;
        assert!(dropped.is_ok(), "the body is dropped");
    }
}

pub async fn a_put_dropped_at_any_moment_leaves_nothing(subject: &Subject) {
    let content = content(1, 600_000);
    let mut keys = Vec::new();
    for wait in (0..4000).step_by(40).map(Duration::from_micros) {
        for times in 1..8 {
            let key = key("acme", "fw-01");
            let put = subject.store.put(&key, Some(600_000), metadata(), whole(&content));
            match poll_and_drop(put, times, wait).await {
                None => keys.push(key),
                // The put was done: the object stays, and more polls change nothing.
                Some(size) => {
                    assert_eq!(size.unwrap(), 600_000);
                    subject.store.delete(&key).await.unwrap();
                    break;
                }
            }
        }
    }
    // Each wait has dropped at least one. A store that needs a single step for the body has no further poll to be dropped at.
    assert!(keys.len() >= 100, "only {} were dropped", keys.len());
    // By now every step has begun that had not when its put was dropped.
    subject.put(&key("acme", "fw-02"), &content).await;
    subject.assert_no_leftovers().await;
    assert_eq!(subject.keys("acme/fw-01/").await, Vec::<String>::new());
    for key in keys {
        assert!(is_not_found(&subject.store.head(&key).await));
    }
}

pub async fn object_is_replaced_in_one_step(subject: &Subject) {
    let (key, old, new) = (key("acme", "fw-01"), content(1, 400_000), content(2, 400_000));
    subject.put(&key, &old).await;
    for _ in 0..20 {
        let replace = async {
            subject.put(&key, &new).await;
            subject.put(&key, &old).await;
        };
        let watch = async {
            for _ in 0..20 {
                let seen = subject.read(&key).await.unwrap();
                assert!(seen == old || seen == new);
            }
        };
        tokio::join!(replace, watch);
    }
    assert_eq!(subject.keys("").await, [key.to_string()]);
}

pub async fn failed_put_keeps_the_previous_object(subject: &Subject) {
    let (key, old) = (key("acme", "fw-01"), content(1, 1000));
    subject.put(&key, &old).await;
    let broken = body(vec![Ok(content(2, 500).into()), Err(BodyInterrupted)]);
    let interrupted = subject.store.put(&key, None, metadata(), broken).await;
    assert!(matches!(interrupted, Err(PutError::BodyInterrupted)));
    let short = subject.store.put(&key, Some(9), metadata(), whole(b"short")).await;
    assert!(matches!(short, Err(PutError::Length { .. })));
    assert_eq!(subject.read(&key).await.unwrap(), old);
    subject.assert_no_leftovers().await;
}
