//! Objects that are put ahead of the transaction that makes them backups, and their marks.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rustix::fs::fgetxattr;
use strongroom::domain::object_key::ObjectKey;
use strongroom::store::{BlobStore, LocalStore, Mark};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::{file_of, names_in, subject, subject_in};
use crate::fixture::*;

async fn put_ahead(store: &dyn BlobStore, key: &ObjectKey, content: &[u8]) -> Box<dyn Mark> {
    let chunks = content.chunks(1000).map(Bytes::copy_from_slice).collect();
    store.put_ahead(key, metadata(), chunks).await.unwrap().expect("the file system has links")
}

/// Returns the keys of the objects that have a mark which nobody holds.
async fn unclaimed(store: &dyn BlobStore) -> Vec<ObjectKey> {
    store.find_unclaimed().await.unwrap().into_iter().map(|found| found.key).collect()
}

#[tokio::test]
async fn object_put_ahead_is_like_any_other() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let (ahead, other) = (key("acme", "fw-01"), key("acme", "fw-01"));
    let content = content(1, 50_000);
    let _mark = put_ahead(&*subject.store, &ahead, &content).await;
    subject.put(&other, &content).await;
    assert_eq!(subject.read(&ahead).await.unwrap(), content);
    let file = |key: &ObjectKey| File::open(file_of(folder.path(), key)).unwrap();
    let attribute = |key: &ObjectKey, name: &str| {
        let mut value = [0; 300];
        let length = fgetxattr(file(key), format!("user.strongroom.{name}"), &mut value[..]);
        length.map(|length| value[..length].to_vec())
    };
    for name in ["filename", "mimetype", "system-id"] {
        assert_eq!(attribute(&ahead, name), attribute(&other, name), "{name}");
    }
    let mode = |key: &ObjectKey| file(key).metadata().unwrap().mode();
    assert_eq!(mode(&ahead), mode(&other));
    let mut keys = [ahead.to_string(), other.to_string()];
    keys.sort();
    assert_eq!(subject.keys("").await, keys);
}

#[tokio::test]
async fn mark_is_held_until_it_is_removed_or_its_process_forgets_it() {
    let subject = subject().await;
    let store = &*subject.store;
    let keys = [key("acme", "fw-01"), key("acme", "fw-01"), key("globex", "fw-01")];
    let mut marks = Vec::new();
    for key in &keys {
        marks.push(put_ahead(store, key, b"bytes").await);
    }
    assert_eq!(store.marked().await.unwrap(), keys.clone().into());
    assert_eq!(unclaimed(store).await, []);
    // The mark of a process that works on it stays.
    store.remove_mark(&keys[0]).await.unwrap();
    assert_eq!(store.marked().await.unwrap().len(), 3);

    marks.remove(0).remove();
    while store.marked().await.unwrap().len() == 3 {
        tokio::task::yield_now().await;
    }
    drop(marks.remove(0));
    let found = store.find_unclaimed().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, keys[1]);
    let age = SystemTime::now().duration_since(found[0].written.into()).unwrap_or_default();
    assert!(age < Duration::from_mins(10), "{age:?}");
    store.remove_mark(&keys[1]).await.unwrap();
    store.remove_mark(&keys[1]).await.unwrap();
    assert_eq!(unclaimed(store).await, []);
    assert_eq!(store.marked().await.unwrap(), [keys[2].clone()].into());
    for key in &keys {
        assert_eq!(subject.read(key).await.unwrap(), b"bytes");
    }
}

#[tokio::test]
async fn marks_are_no_leftovers_and_survive_the_preparation() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let key = key("acme", "fw-01");
    drop(put_ahead(&*subject.store, &key, b"bytes").await);
    let again = LocalStore::new(folder.path().to_owned(), Handle::current());
    again.prepare(false).await.unwrap();
    assert_eq!(remove_leftovers_except(&again, &[]).await, 0);
    assert_eq!(unclaimed(&again).await, [key]);
}

#[tokio::test]
async fn store_without_marks_has_none() {
    let subject = subject().await;
    let store = &*subject.store;
    assert!(store.marked().await.unwrap().is_empty());
    assert_eq!(unclaimed(store).await, []);
    store.remove_mark(&key("acme", "fw-01")).await.unwrap();
}

/// A file between its creation and its lock has no bytes, so an empty mark is ignored for a minute.
#[tokio::test]
async fn whatever_else_is_among_the_marks_stays() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let store = &*subject.store;
    put_ahead(store, &key("acme", "fw-01"), b"bytes").await.remove();
    while !store.marked().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let marks = folder.path().join(".tmp/ahead");
    let mark = |key: &ObjectKey| marks.join(key.as_str().replace('/', ","));
    let [new, old, link, directory] = [(); 4].map(|()| key("acme", "fw-01"));
    fs::write(mark(&new), b"").unwrap();
    File::create(mark(&old)).unwrap().set_modified(SystemTime::now() - Duration::from_mins(2)).unwrap();
    symlink("/etc/passwd", mark(&link)).unwrap();
    fs::create_dir(mark(&directory)).unwrap();
    fs::write(marks.join("a name"), b"of something else").unwrap();
    let before = names_in(&marks);
    assert_eq!(unclaimed(store).await, std::slice::from_ref(&old));
    for key in [&new, &link, &directory] {
        store.remove_mark(key).await.unwrap();
    }
    assert_eq!(names_in(&marks), before);
    store.remove_mark(&old).await.unwrap();
    assert_eq!(names_in(&marks).len(), 4);
}

#[tokio::test]
async fn an_object_that_cannot_be_put_ahead_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let (store, key) = (&*subject.store, key("acme", "fw-01"));
    fs::write(folder.path().join("acme"), b"a file in place of the folder").unwrap();
    unavailable_error(store.put_ahead(&key, metadata(), vec![b"x".as_slice().into()]).await.map(drop));
    assert!(store.marked().await.unwrap().is_empty());
    assert_eq!(subject.keys("").await, Vec::<String>::new());
    fs::remove_file(folder.path().join("acme")).unwrap();
    fs::create_dir_all(folder.path().join("acme/fw-01")).unwrap();
    fs::write(file_of(folder.path(), &key), b"another object").unwrap();
    unavailable_error(store.put_ahead(&key, metadata(), vec![b"x".as_slice().into()]).await.map(drop));
    assert_eq!(subject.read(&key).await.unwrap(), b"another object");
    assert!(store.marked().await.unwrap().is_empty());
    fs::remove_dir_all(folder.path().join(".tmp")).unwrap();
    let lost = unavailable_error(store.put_ahead(&key, metadata(), vec![]).await.map(drop));
    assert!(lost.contains("is the disk mounted?"), "{lost}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_put_ahead_while_their_folder_is_removed_are_kept() {
    let subject = subject().await;
    let removed = async {
        for _ in 0..200 {
            let key = key("acme", "fw-01");
            subject.put(&key, b"x").await;
            subject.store.delete(&key).await.unwrap();
        }
    };
    let kept = async {
        for _ in 0..200 {
            let key = key("acme", "fw-01");
            put_ahead(&*subject.store, &key, b"bytes").await.remove();
            subject.store.delete(&key).await.unwrap();
        }
        let last = key("acme", "fw-01");
        put_ahead(&*subject.store, &last, b"bytes").await.remove();
        last
    };
    let ((), last) = tokio::join!(removed, kept);
    assert_eq!(subject.keys("").await, [last.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_ahead_that_is_dropped_at_any_moment_leaves_nothing() {
    let subject = subject().await;
    for micros in (0..3000).step_by(50) {
        let key = key("acme", "fw-01");
        let put = subject.store.put_ahead(&key, metadata(), vec![Bytes::from(content(1, 50_000))]);
        let in_time = tokio::time::timeout(Duration::from_micros(micros), put).await;
        if let Ok(put) = in_time {
            put.unwrap().expect("the file system has links").remove();
            subject.store.delete(&key).await.unwrap();
        }
    }
    // A put that nobody waits for any more may still begin: its object is there until it has ended.
    let start = Instant::now();
    while !subject.keys("").await.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", subject.keys("").await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    subject.assert_no_leftovers().await;
}

#[tokio::test]
async fn object_without_a_holder_is_deleted_with_its_mark() {
    let subject = subject().await;
    let store = &*subject.store;
    let (held, left) = (key("acme", "fw-01"), key("acme", "fw-01"));
    let mark = put_ahead(store, &held, b"bytes").await;
    drop(put_ahead(store, &left, b"bytes").await);
    assert!(!store.delete_unclaimed(&held).await.unwrap());
    assert!(store.delete_unclaimed(&left).await.unwrap());
    assert!(!store.delete_unclaimed(&left).await.unwrap());
    assert_eq!(subject.keys("").await, [held.to_string()]);
    assert_eq!(store.marked().await.unwrap(), [held].into());
    drop(mark);
}

/// An outage leaves what is put ahead at that time.
#[tokio::test]
async fn not_more_than_a_few_objects_are_ahead() {
    let subject = subject().await;
    let store = &*subject.store;
    let mut marks = Vec::new();
    while store.can_put_ahead() {
        marks.push(put_ahead(store, &key("acme", "fw-01"), b"x").await);
        assert!(marks.len() < 1000);
    }
    assert_eq!(marks.len(), 256);
    marks.pop();
    assert!(store.can_put_ahead());
}
