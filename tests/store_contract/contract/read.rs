//! Reading and deleting.

use futures_util::{StreamExt, TryStreamExt};
use strongroom::domain::range::ByteRange;

use crate::fixture::*;

pub async fn range_returns_exactly_that_part(subject: &Subject) {
    const SIZE: u64 = 1_000_003;
    let (key, content) = (key("acme", "fw-01"), content(1, 1_000_003));
    subject.put(&key, &content).await;
    for (first, last) in [
        (0, 0),
        (0, SIZE - 1),
        (SIZE - 1, SIZE - 1),
        (1, 2),
        (131_071, 131_072),
        (131_072, 262_143),
        (131_072, 262_144),
        (5, 999_999),
        (262_143, SIZE - 1),
    ] {
        let range = Some(ByteRange { first, last });
        let part = read(&*subject.store, &key, range).await.unwrap();
        let (from, to) = (usize::try_from(first).unwrap(), usize::try_from(last).unwrap());
        assert!(part == content[from..=to], "{first}-{last}");
    }
}

pub async fn a_range_beyond_the_object_is_an_error(subject: &Subject) {
    let key = key("acme", "fw-01");
    subject.put(&key, &content(1, 1000)).await;
    for (first, last) in [(0, 1000), (999, 1000), (1000, 1000), (5000, 6000), (0, u64::MAX)] {
        let range = Some(ByteRange { first, last });
        let result = read(&*subject.store, &key, range).await;
        assert!(is_unavailable(&result), "{first}-{last}: {result:?}");
    }
}

pub async fn object_of_another_size_is_damaged_and_not_returned(subject: &Subject) {
    let key = key("acme", "fw-01");
    for (size, found) in [(1000, 999), (1000, 1001), (1000, 1), (300_000, 1000), (1, 300_000)] {
        // The object that had this size was replaced without the service.
        subject.put(&key, &content(1, found)).await;
        let last = size - 1;
        for range in [None, Some((0, 0)), Some((0, last)), Some((last, last)), Some((last / 2, last))] {
            let range = range.map(|(first, last)| ByteRange { first, last });
            let opened = subject.store.get(&key, size, range).await.map(drop);
            assert!(is_damaged(&opened), "{found} bytes for {size}, {range:?}: {opened:?}");
        }
        assert_eq!(subject.store.head(&key).await.unwrap(), found as u64);
    }
}

pub async fn body_dropped_half_way_does_no_harm(subject: &Subject) {
    let (key, content) = (key("acme", "fw-01"), content(1, 2 << 20));
    subject.put(&key, &content).await;
    for chunks in 0..4 {
        let body = subject.store.get(&key, 2 << 20, None).await.unwrap();
        let some: Vec<_> = body.take(chunks).try_collect().await.unwrap();
        assert_eq!(some.len(), chunks);
    }
    assert!(subject.read(&key).await.unwrap() == content);
}

pub async fn missing_object_is_not_found(subject: &Subject) {
    let (known, unknown) = (key("acme", "fw-01"), key("acme", "fw-01"));
    for _ in 0..2 {
        for absent in [&unknown, &key("acme", "fw-02"), &key("other", "fw-01")] {
            let range = Some(ByteRange { first: 0, last: 0 });
            assert!(is_not_found(&subject.store.head(absent).await));
            assert!(is_not_found(&subject.store.get(absent, 5, None).await.map(drop)));
            assert!(is_not_found(&subject.store.get(absent, 5, range).await.map(drop)));
        }
        // The second round has another object beside the absent one.
        subject.put(&known, b"bytes").await;
    }
}

pub async fn a_delete_may_be_repeated(subject: &Subject) {
    let (key, other) = (key("acme", "fw-01"), key("acme", "fw-01"));
    subject.store.delete(&key).await.unwrap();
    subject.put(&key, b"bytes").await;
    subject.put(&other, b"other").await;
    for _ in 0..3 {
        subject.store.delete(&key).await.unwrap();
        subject.assert_nothing_of(&key).await;
    }
    assert_eq!(subject.read(&other).await.unwrap(), b"other");
    subject.put(&key, b"again").await;
    assert_eq!(subject.read(&key).await.unwrap(), b"again");
}

pub async fn open_reader_finishes_after_a_delete(subject: &Subject) {
    let (key, old) = (key("acme", "fw-01"), content(1, 3 << 20));
    subject.put(&key, &old).await;
    let mut replaced = subject.store.get(&key, 3 << 20, None).await.unwrap();
    let first = replaced.next().await.unwrap().unwrap();
    subject.put(&key, &content(2, 1 << 20)).await;
    subject.store.delete(&key).await.unwrap();
    // The rest is either all of the old object or an error, and never a short end.
    let rest: Result<Vec<_>, _> = replaced.try_collect().await;
    if let Ok(rest) = rest {
        assert!([first].into_iter().chain(rest).flatten().eq(old));
    }
}
