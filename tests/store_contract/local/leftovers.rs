//! Leftovers of killed processes, and unfinished writes of running ones.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use strongroom::store::{BlobStore, LocalStore, StoreError};
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle};

use super::{names_in, subject_in};
use crate::fixture::*;

#[tokio::test]
async fn leftovers_of_dead_processes_are_removed_and_files_of_living_ones_are_not() {
    let folder = TempDir::new().unwrap();
    let tmp = folder.path().join(".tmp");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(&tmp).unwrap();
    fs::write(tmp.join("dead"), b"half of it").unwrap();
    let living = File::create(tmp.join("living")).unwrap();
    living.lock().unwrap();
    let store = LocalStore::new(folder.path().to_owned(), Handle::current());
    store.prepare(true).await.unwrap();
    assert_eq!(names_in(&tmp), ["living"]);

    fs::write(tmp.join("dead too"), b"its first byte").unwrap();
    fs::create_dir(tmp.join("folder")).unwrap();
    assert_eq!(remove_leftovers_except(&store, &[]).await, 1);
    assert_eq!(names_in(&tmp), ["folder", "living"]);
    (&living).write_all(b"its first byte").unwrap();
    drop(living);
    assert_eq!(remove_leftovers_except(&store, &[]).await, 1);
    assert_eq!(remove_leftovers_except(&store, &[]).await, 0);
}

#[tokio::test]
async fn listing_leftovers_finds_unfinished_writes_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::new(folder.path().to_owned(), Handle::current());
    store.prepare(true).await.unwrap();
    let tmp = folder.path().join(".tmp");
    fs::write(tmp.join("dead"), b"half of it").unwrap();
    fs::write(tmp.join("written"), b"half of it").unwrap();
    let written = File::open(tmp.join("written")).unwrap();
    written.lock().unwrap();
    // Between its creation and its lock a file has no bytes.
    fs::write(tmp.join("just made"), b"").unwrap();
    let old = File::create(tmp.join("made long ago")).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    let before = names_in(&tmp);
    for _ in 0..2 {
        let left = store.find_leftovers().await.unwrap();
        let mut names: Vec<_> = left.into_iter().map(|left| left.id).collect();
        names.sort();
        assert_eq!(names, ["dead", "made long ago"]);
        assert_eq!(names_in(&tmp), before);
    }
    assert_eq!(remove_leftovers_except(&store, &[]).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_in_progress_survives_another_process_that_opens_the_store() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let (key, (sender, body)) = (key("acme", "fw-01"), channel());
    let put = subject.store.put(&key, None, metadata(), body);
    let meanwhile = async {
        for seed in 0..20 {
            sender.send(Bytes::from(content(seed, 40_000))).await.unwrap();
            // A lock belongs to the open file, not to the process: the same holds for another process.
            subject_in(folder.path()).await;
        }
        drop(sender);
    };
    let (size, ()) = tokio::join!(put, meanwhile);
    assert_eq!(size.unwrap(), 800_000);
    assert_eq!(subject.read(&key).await.unwrap().len(), 800_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_that_begin_while_leftovers_are_removed_succeed() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let sweeper = LocalStore::new(folder.path().to_owned(), Handle::current());
    let done = std::sync::atomic::AtomicBool::new(false);
    let sweep = async {
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            remove_leftovers_except(&sweeper, &[]).await;
        }
    };
    let put = async {
        for _ in 0..300 {
            subject.put(&key("acme", "fw-01"), b"bytes").await;
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(sweep, put);
    assert_eq!(subject.keys("").await.len(), 300);
}

#[test]
fn ended_runtime_leaves_no_temporary_files() {
    let folder = TempDir::new().unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let tmp = folder.path().join(".tmp");
    let (sender, body) = channel();
    runtime.block_on(async {
        let subject = subject_in(folder.path()).await;
        let key = key("acme", "fw-01");
        tokio::spawn(async move { subject.store.put(&key, None, metadata(), body).await });
        sender.send(content(1, 40_000).into()).await.unwrap();
        while names_in(&tmp).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    assert_eq!(names_in(&tmp), Vec::<String>::new());
    assert_eq!(names_in(folder.path()), [".tmp"]);
}

#[test]
fn missing_store_is_not_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mount-point");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = LocalStore::new(root.clone(), runtime.handle().clone());
    runtime.block_on(async {
        assert!(matches!(store.prepare(false).await, Err(StoreError::Unavailable { .. })));
        assert!(!root.exists(), "or backups would go to the folder below the disk");
        store.prepare(true).await.unwrap();
        store.prepare(false).await.unwrap();
    });
}
