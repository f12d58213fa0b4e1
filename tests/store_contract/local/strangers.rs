//! Files that other programs have put into the store's directory: they are no objects, nothing leads out of the
//! directory, and the targets of links stay unchanged.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::TryStreamExt;
use strongroom::domain::object_key::ObjectKey;
use strongroom::store::{BlobStore, Leftover, LocalStore, StoreError};
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

use super::{file_of, names_in, subject_in};
use crate::fixture::*;

/// Longer than any step on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Makes something at a path.
type Make<'a> = Box<dyn Fn(&Path) + 'a>;

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Returns two folders beside each other: the store's, and one that the store must not touch.
fn neighbours() -> (TempDir, std::path::PathBuf, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let (root, outside) = (folder.path().join("objects"), folder.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), b"bytes").unwrap();
    (folder, root, outside)
}

#[tokio::test]
async fn only_a_regular_file_is_an_object() {
    let (_folder, root, outside) = neighbours();
    let subject = subject_in(&root).await;
    subject.put(&key("acme", "fw-01"), b"bytes").await;
    let file = outside.join("file");
    let make: [(&str, Make<'_>); 5] = [
        ("a symbolic link", Box::new(|path| symlink(&file, path).unwrap())),
        ("a symbolic link", Box::new(|path| symlink("nowhere", path).unwrap())),
        ("a named pipe", Box::new(pipe)),
        ("a socket", Box::new(|path| drop(UnixListener::bind(path).unwrap()))),
        ("a directory", Box::new(|path| fs::create_dir(path).unwrap())),
    ];
    for (what, make) in make {
        let key = key("acme", "fw-01");
        let path = file_of(&root, &key);
        // A socket's path has a maximal length.
        let short = TempDir::new().unwrap();
        make(&short.path().join("x"));
        fs::rename(short.path().join("x"), &path).unwrap();
        let opened = timeout(TIMEOUT, subject.store.get(&key, 5, None)).await.expect("nothing is waited for");
        for result in [opened.map(drop), subject.store.head(&key).await.map(drop)] {
            match result {
                Err(StoreError::Damaged(line)) => {
                    assert!(line.contains(what) && line.contains(path.to_str().unwrap()), "{line}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        assert!(is_damaged(&subject.store.copy(&key, &self::key("other", "fw-01")).await), "{what}");
        assert!(!subject.keys("").await.contains(&key.to_string()), "{what} is listed");
        if what == "a directory" {
            assert!(unavailable_error(subject.store.delete(&key).await).contains(path.to_str().unwrap()));
            fs::remove_dir(&path).unwrap();
        } else {
            subject.store.delete(&key).await.unwrap();
        }
        assert!(path.symlink_metadata().is_err(), "{what} is still there");
        assert_eq!(fs::read(&file).unwrap(), b"bytes", "the target of a link stays");
    }
}

/// A pipe without a writer must not block the thread that opens it.
#[test]
fn pipes_in_place_of_objects_block_no_threads() {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let subject = subject_in(folder.path()).await;
        let object = key("acme", "fw-01");
        subject.put(&object, b"bytes").await;
        for _ in 0..4 {
            let key = key("acme", "fw-01");
            pipe(&file_of(folder.path(), &key));
            let store = std::sync::Arc::clone(&subject.store);
            tokio::spawn(async move { store.get(&key, 5, None).await.map(drop) });
        }
        pipe(&folder.path().join(".tmp/pipe"));
        let work = async {
            assert_eq!(subject.read(&object).await.unwrap(), b"bytes");
            assert_eq!(remove_leftovers_except(&*subject.store, &[]).await, 0);
        };
        timeout(TIMEOUT, work).await.expect("the threads are free");
    });
}

#[tokio::test]
async fn link_in_place_of_a_folder_is_not_followed() {
    let (_folder, root, outside) = neighbours();
    let subject = subject_in(&root).await;
    let (there, coming) = (key("acme", "fw-01"), key("acme", "fw-01"));
    let own = key("other", "fw-01");
    subject.put(&own, b"bytes").await;
    // The link leads to a whole store with the same object.
    let elsewhere = subject_in(&outside.join("store")).await;
    elsewhere.put(&there, b"bytes").await;
    let links: [fn(&Path, &Path); 2] = [
        |root, store| symlink(store.join("acme"), root.join("acme")).unwrap(),
        |root, store| {
            fs::create_dir(root.join("acme")).unwrap();
            symlink(store.join("acme/fw-01"), root.join("acme/fw-01")).unwrap();
        },
    ];
    for link in links {
        link(&root, &outside.join("store"));
        let before = names_in(&outside.join("store/acme/fw-01"));
        let store = &subject.store;
        unavailable_error(store.head(&there).await);
        unavailable_error(store.get(&there, 5, None).await.map(drop));
        unavailable_error(store.delete(&there).await);
        put_error(store.put(&coming, None, metadata(), whole(b"bytes")).await);
        unavailable_error(store.put_ahead(&coming, metadata(), vec![]).await.map(drop));
        unavailable_error(store.copy(&own, &coming).await);
        assert_eq!(subject.keys("").await, [own.to_string()]);
        let list: Result<Vec<_>, _> = store.list("acme/fw-01/").try_collect().await;
        assert!(!list.is_ok_and(|found| !found.is_empty()), "the target of a link is not listed");
        subject.assert_no_leftovers().await;
        assert_eq!(names_in(&outside.join("store/acme/fw-01")), before);
        assert_eq!(elsewhere.read(&there).await.unwrap(), b"bytes");
        fs::remove_file(root.join("acme")).or_else(|_| fs::remove_dir_all(root.join("acme"))).unwrap();
    }
}

#[tokio::test]
async fn link_in_place_of_the_temporary_folder_deletes_nothing_elsewhere() {
    let (_folder, root, outside) = neighbours();
    let subject = subject_in(&root).await;
    let own = key("acme", "fw-01");
    subject.put(&own, b"bytes").await;
    fs::remove_dir(root.join(".tmp")).unwrap();
    symlink(&outside, root.join(".tmp")).unwrap();
    let file = Leftover { key: None, id: "file".to_owned() };
    unavailable_error(subject.store.find_leftovers().await);
    unavailable_error(subject.store.remove_leftovers(std::slice::from_ref(&file)).await);
    unavailable_error(subject.store.check().await);
    put_error(subject.store.put(&key("acme", "fw-01"), None, metadata(), whole(b"bytes")).await);
    for new in [true, false] {
        let store = LocalStore::new(root.clone(), Handle::current());
        match store.prepare(new).await {
            Err(StoreError::Refused(line)) => assert!(line.contains(".tmp"), "{line}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(names_in(&outside), ["file"]);
    fs::remove_file(root.join(".tmp")).unwrap();
    fs::create_dir(root.join(".tmp")).unwrap();
    assert_eq!(subject.read(&own).await.unwrap(), b"bytes");

    // A name that leads out of the folder, or a link in it, removes nothing either.
    symlink(outside.join("file"), root.join(".tmp/link")).unwrap();
    let out = ["../../outside/file", "link", "..", "."].map(|id| Leftover { key: None, id: id.to_owned() });
    assert_eq!(subject.store.remove_leftovers(&out).await.unwrap(), 0);
    assert_eq!(subject.store.find_leftovers().await.unwrap(), []);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"bytes");
}

#[tokio::test]
async fn put_does_not_end_in_a_directory_that_replaced_the_store() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    let subject = subject_in(&root).await;
    let key: ObjectKey = key("acme", "fw-01");
    let (sender, body) = channel();
    let (store, late) = (std::sync::Arc::clone(&subject.store), key.clone());
    let put = tokio::spawn(async move { store.put(&late, None, metadata(), body).await });
    sender.send(content(1, 40_000).into()).await.unwrap();
    while names_in(&root.join(".tmp")).is_empty() {
        tokio::task::yield_now().await;
    }
    // Another directory replaces the store, as if a disk were mounted there.
    fs::rename(&root, folder.path().join("away")).unwrap();
    let other = subject_in(&root).await;
    drop(sender);
    assert!(put_error(put.await.unwrap()).contains(root.to_str().unwrap()));
    assert_eq!(names_in(&root), [".tmp"]);
    other.assert_nothing_of(&key).await;
}

#[tokio::test]
async fn leftover_of_a_check_is_no_object_and_is_removed_by_the_next_check() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    fs::create_dir(folder.path().join(".probe")).unwrap();
    File::create(folder.path().join(".probe/probe")).unwrap();
    assert_eq!(subject.keys("").await, Vec::<String>::new());
    assert_eq!(subject.store.find_leftovers().await.unwrap(), []);
    subject.store.check().await.unwrap();
    assert_eq!(names_in(folder.path()), [".tmp"]);
}
