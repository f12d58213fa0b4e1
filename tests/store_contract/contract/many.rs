//! Many objects: lists, copies, and concurrent calls.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};

use crate::fixture::*;

pub async fn list_has_the_keys_with_the_prefix(subject: &Subject) {
    assert_eq!(subject.keys("").await, Vec::<String>::new());
    let mut all = Vec::new();
    for (org, system, count) in [
        ("acme", "fw-01", 3),
        ("acme", "fw-011", 1),
        ("acme", "fw-02", 2),
        ("acme2", "fw-01", 2),
        ("a", "b", 1),
    ] {
        for _ in 0..count {
            let key = key(org, system);
            subject.put(&key, b"bytes").await;
            all.push(key.to_string());
        }
    }
    all.sort();
    let one = all[4].clone();
    for prefix in [
        "",
        "a",
        "ac",
        "acme",
        "acme/",
        "acme/f",
        "acme/fw-01",
        "acme/fw-01/",
        "acme/fw-011/",
        "acme2/",
        "acme/fw-03/",
        "b",
        "b/",
        "/",
        "//",
        ".",
        "../",
        "acme/../",
        "acme//",
        "ACME/",
        "acme/fw-01/0",
        &one[..one.len() - 5],
        &one,
        &format!("{one}/"),
        &format!("{one}x"),
    ] {
        let expected: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).collect();
        let found = subject.keys(prefix).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{prefix:?}");
    }
    let sizes: Vec<_> = subject.store.list("a/").try_collect().await.unwrap();
    assert_eq!((sizes.len(), sizes[0].size), (1, 5));
}

pub async fn a_list_is_in_the_byte_order_of_the_keys(subject: &Subject) {
    // In a key, a slash follows a name; it sorts after '-' and before digits and letters.
    let names = ["a", "a-", "a-b", "a0", "aa", "a_b", "A", "-"];
    let mut all = Vec::new();
    for (org, system) in names.iter().flat_map(|name| [(*name, "fw"), ("acme", *name)]) {
        let key = key(org, system);
        subject.put(&key, b"bytes").await;
        all.push(key.to_string());
    }
    all.sort();
    for prefix in ["", "a", "acme/"] {
        let found: Vec<_> = subject.store.list(prefix).try_collect().await.unwrap();
        let found: Vec<_> = found.into_iter().map(|object| object.key.to_string()).collect();
        let expected: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        assert_eq!(found, expected, "{prefix:?}");
    }
}

pub async fn list_has_the_time_of_each_object(subject: &Subject) {
    // An engine's clock may be a little off, and its times are rounded.
    let (before, bound) = (Utc::now(), TimeDelta::minutes(5));
    subject.put(&key("acme", "fw-01"), b"bytes").await;
    let (copied_from, copy) = (key("acme", "fw-02"), key("acme", "fw-03"));
    subject.put(&copied_from, b"bytes").await;
    subject.store.copy(&copied_from, &copy).await.unwrap();
    let found: Vec<_> = subject.store.list("").try_collect().await.unwrap();
    assert_eq!(found.len(), 3);
    for object in found {
        let modified = object.modified.unwrap();
        assert!(before - bound < modified && modified < Utc::now() + bound, "{modified}");
    }
}

pub async fn list_survives_concurrent_puts_and_deletes(subject: &Subject) {
    let stays = key("acme", "stays");
    subject.put(&stays, b"bytes").await;
    let change = async {
        for round in 0..60 {
            let key = key(["acme", "b", "z"][round % 3], "goes");
            subject.put(&key, b"bytes").await;
            subject.store.delete(&key).await.unwrap();
        }
    };
    let watch = async {
        for _ in 0..60 {
            assert!(subject.keys("").await.contains(&stays.to_string()));
        }
    };
    tokio::join!(change, watch);
    // The first list is dropped half-way.
    let _ = subject.store.list("").next().await;
}

pub async fn many_puts_at_once_are_all_kept(subject: &Subject) {
    let keys: Vec<_> = (0..64).map(|n| key(["acme", "other"][n % 2], &format!("fw-{}", n % 5))).collect();
    let puts = keys.iter().zip(0_u64..).map(|(key, seed)| {
        let (store, key) = (Arc::clone(&subject.store), key.clone());
        tokio::spawn(async move {
            let content = content(seed, 50_000 + usize::try_from(seed).unwrap() * 10_000);
            let body = chunked(&content, 20_000);
            store.put(&key, None, metadata(), body).await.unwrap();
            assert!(read(&*store, &key, None).await.unwrap() == content);
        })
    });
    for put in join_all(puts.collect::<Vec<_>>()).await {
        put.unwrap();
    }
    let mut expected: Vec<_> = keys.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(subject.keys("").await, expected);
    subject.assert_no_leftovers().await;
}

pub async fn concurrent_puts_and_deletes_in_one_folder_succeed(subject: &Subject) {
    let workers = (0..16).map(|seed| {
        let store = Arc::clone(&subject.store);
        tokio::spawn(async move {
            let content = content(seed, 1000);
            for _ in 0..50 {
                let key = key("acme", "fw-01");
                store.put(&key, None, metadata(), whole(&content)).await.unwrap();
                assert_eq!(read(&*store, &key, None).await.unwrap(), content);
                store.delete(&key).await.unwrap();
                assert!(is_not_found(&store.head(&key).await));
            }
        })
    });
    for worker in join_all(workers.collect::<Vec<_>>()).await {
        worker.unwrap();
    }
    assert_eq!(subject.keys("").await, Vec::<String>::new());
    subject.assert_no_leftovers().await;
}

pub async fn copy_is_independent_of_its_source(subject: &Subject) {
    let (from, to) = (key("acme", "fw-01"), key("other", "fw-01"));
    for size in [0, 10, 700_000] {
        let content = content(size as u64, size);
        subject.put(&from, &content).await;
        // Copies twice: the second one replaces the result of the first.
        subject.store.copy(&from, &to).await.unwrap();
        subject.store.copy(&from, &to).await.unwrap();
        assert!(subject.read(&from).await.unwrap() == content);
        subject.store.delete(&from).await.unwrap();
        assert!(subject.read(&to).await.unwrap() == content);
        subject.store.delete(&to).await.unwrap();
    }
    subject.assert_no_leftovers().await;
}

pub async fn copy_of_a_missing_object_is_not_found(subject: &Subject) {
    let (from, to) = (key("acme", "fw-01"), key("other", "fw-01"));
    assert!(is_not_found(&subject.store.copy(&from, &to).await));
    subject.assert_nothing_of(&to).await;
    subject.put(&to, b"kept").await;
    assert!(is_not_found(&subject.store.copy(&from, &to).await));
    assert_eq!(subject.read(&to).await.unwrap(), b"kept");
}

pub async fn a_check_succeeds_and_leaves_nothing(subject: &Subject) {
    for _ in 0..3 {
        subject.store.check().await.unwrap();
    }
    subject.assert_no_leftovers().await;
    assert_eq!(subject.keys("").await, Vec::<String>::new());
}

pub async fn preparation_and_sweep_touch_no_object_and_no_put(subject: &Subject) {
    let (there, coming) = (key("acme", "fw-01"), key("acme", "fw-01"));
    subject.put(&there, b"there").await;
    let (sender, body) = channel();
    let put = subject.store.put(&coming, None, metadata(), body);
    let meanwhile = async {
        for seed in 0..10 {
            sender.send(content(seed, 40_000).into()).await.unwrap();
            subject.store.prepare(true).await.unwrap();
            remove_leftovers_except(&*subject.store, std::slice::from_ref(&coming)).await;
        }
        drop(sender);
    };
    let (size, ()) = tokio::join!(put, meanwhile);
    assert_eq!(size.unwrap(), 400_000);
    assert_eq!(subject.read(&coming).await.unwrap().len(), 400_000);
    assert_eq!(subject.read(&there).await.unwrap(), b"there");
}
