//! The files and folders themselves.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use strongroom::store::{BlobStore, LocalStore, StoreError};
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle};

use super::{file_of, names_in, subject_in};
use crate::fixture::*;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn an_object_is_a_private_file_under_its_key() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("var/lib/objects");
    let subject = subject_in(&root).await;
    let key = key("acme", "fw-01");
    subject.put(&key, b"bytes").await;
    assert_eq!(fs::read(root.join(key.as_str())).unwrap(), b"bytes");
    assert_eq!(mode(&file_of(&root, &key)), 0o600);
    for made in ["..", ".", ".tmp", "acme", "acme/fw-01"] {
        assert_eq!(mode(&root.join(made)), 0o700, "{made}");
    }
    assert_eq!(names_in(&root), [".tmp", "acme"]);
}

#[tokio::test]
async fn empty_folders_are_removed_with_the_last_object() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let subject = subject_in(root).await;
    let keys = [key("acme", "fw-01"), key("acme", "fw-01"), key("acme", "fw-02")];
    for key in &keys {
        subject.put(key, b"bytes").await;
    }
    for (key, left) in keys.iter().zip([
        (&[".tmp", "acme"][..], &["fw-01", "fw-02"][..]),
        (&[".tmp", "acme"], &["fw-02"]),
        (&[".tmp"], &[]),
    ]) {
        subject.store.delete(key).await.unwrap();
        assert_eq!(names_in(root), left.0);
        if !left.1.is_empty() {
            assert_eq!(names_in(&root.join("acme")), left.1);
        }
    }
    // The same folders are used again.
    subject.put(&keys[0], b"again").await;
    assert_eq!(subject.read(&keys[0]).await.unwrap(), b"again");
}

#[tokio::test]
async fn file_truncated_while_it_is_read_is_an_error() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    let key = key("acme", "fw-01");
    subject.put(&key, &content(1, 3 << 20)).await;
    let mut body = subject.store.get(&key, 3 << 20, None).await.unwrap();
    body.next().await.unwrap().unwrap();
    let file = OpenOptions::new().write(true).open(file_of(folder.path(), &key)).unwrap();
    file.set_len(1 << 20).unwrap();
    let rest: Result<Vec<Bytes>, StoreError> = body.try_collect().await;
    assert!(rest.unwrap_err().to_string().contains("shorter"));
}

#[tokio::test]
async fn file_changed_while_it_is_read_is_an_error_before_its_last_byte() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    for (size, longer) in [(3 << 20, true), (3 << 20, false), (400_000, true)] {
        let (key, content) = (key("acme", "fw-01"), content(1, size));
        subject.put(&key, &content).await;
        let mut body = subject.store.get(&key, size as u64, None).await.unwrap();
        let first = body.next().await.unwrap().unwrap();
        let file = file_of(folder.path(), &key);
        if longer {
            OpenOptions::new().append(true).open(&file).unwrap().write_all(b"x").unwrap();
        } else {
            OpenOptions::new().write(true).open(&file).unwrap().write_all(b"x").unwrap();
        }
        let mut came = first.len();
        let error = loop {
            match body.next().await.expect("an error at the end") {
                Ok(chunk) => came += chunk.len(),
                Err(error) => break error.to_string(),
            }
        };
        assert!(came < size, "a client that has all bytes does not notice");
        assert!(error.contains("changed") && error.contains(file.to_str().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn list_skips_files_that_are_no_objects() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let subject = subject_in(root).await;
    let key = key("acme", "fw-01");
    subject.put(&key, b"bytes").await;
    let (id, upper) = ("018f3a5c-7b1e-7c3d-9a2b-0123456789ab.gpg", "018F3A5C");
    for other in [
        "file".to_owned(),
        "acme/file".to_owned(),
        "acme/fw-01/notes.txt".to_owned(),
        "acme/fw-01/.hidden".to_owned(),
        format!("acme/fw-01/{upper}{}", &id[8..]),
        format!("acme/{id}"),
        format!("lost+found/x/{id}"),
        format!(".tmp/x/{id}"),
        format!("acme/fw.01/{id}"),
        format!("acme/.x/{id}"),
    ] {
        let path = root.join(other);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"not ours").unwrap();
    }
    fs::create_dir_all(root.join("acme/fw-01").join(id)).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
    fs::create_dir(root.join(bytes)).unwrap();
    for prefix in ["", "acme/", "acme/fw-01/", ".", ".tmp/", "lost+found/"] {
        let expected: &[String] = if key.as_str().starts_with(prefix) { &[key.to_string()] } else { &[] };
        assert_eq!(subject.keys(prefix).await, expected, "{prefix}");
    }
}

#[tokio::test]
async fn list_continues_after_many_files_that_are_no_objects() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    for org in ["acme", "n", "zeta"] {
        subject.put(&key(org, "fw-01"), b"bytes").await;
    }
    for n in 0..3000 {
        File::create(folder.path().join(format!("{n}.txt"))).unwrap();
    }
    assert_eq!(subject.keys("").await.len(), 3);
}

#[tokio::test]
async fn missing_store_is_unavailable_and_not_not_found() {
    let folder = TempDir::new().unwrap();
    let (root, away) = (folder.path().join("objects"), folder.path().join("away"));
    let subject = subject_in(&root).await;
    let key = key("acme", "fw-01");
    subject.put(&key, b"bytes").await;
    let (sender, body) = channel();
    let (store, late) = (Arc::clone(&subject.store), key.clone());
    let put = tokio::spawn(async move { store.put(&late, None, metadata(), body).await });
    sender.send(Bytes::from_static(b"new")).await.unwrap();
    sender.reserve().await.unwrap();
    fs::rename(&root, &away).unwrap();
    drop(sender);
    put_error(put.await.unwrap());
    assert!(!root.exists());
    // The folder alone, which may be the mount point of a missing disk, is no store.
    for _ in 0..2 {
        let store = &subject.store;
        assert!(is_unavailable(&store.head(&key).await));
        assert!(is_unavailable(&subject.read(&key).await));
        assert!(is_unavailable(&store.delete(&key).await));
        assert!(is_unavailable(&store.copy(&key, &key).await));
        assert!(is_unavailable(&store.check().await));
        let list: Result<Vec<_>, _> = store.list("").try_collect().await;
        assert!(is_unavailable(&list));
        put_error(store.put(&key, None, metadata(), whole(b"new")).await);
        let _ = fs::create_dir(&root);
        assert_eq!(names_in(&root), Vec::<String>::new());
    }
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    assert_eq!(subject.read(&key).await.unwrap(), b"bytes");
    subject.store.check().await.unwrap();
}

#[tokio::test]
async fn file_in_place_of_a_folder_fails_that_put_only() {
    let folder = TempDir::new().unwrap();
    let subject = subject_in(folder.path()).await;
    fs::write(folder.path().join("acme"), b"in the way").unwrap();
    let (blocked, free) = (key("acme", "fw-01"), key("other", "fw-01"));
    put_error(subject.store.put(&blocked, None, metadata(), whole(b"bytes")).await);
    subject.assert_no_leftovers().await;
    assert!(is_unavailable(&subject.read(&blocked).await));
    subject.put(&free, b"bytes").await;
    assert_eq!(subject.keys("").await, [free.to_string()]);
}

#[tokio::test]
async fn store_is_ready_once_its_folder_can_be_created() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    File::create(&file).unwrap();
    for root in [file.clone(), file.join("objects")] {
        let store = LocalStore::new(root, Handle::current());
        for _ in 0..2 {
            assert!(is_unavailable(&store.prepare(true).await));
            assert!(is_unavailable(&store.check().await));
        }
        // The file appears during the put.
        if file.exists() {
            fs::remove_file(&file).unwrap();
        }
        store.prepare(true).await.unwrap();
        store.check().await.unwrap();
        fs::remove_dir_all(&file).unwrap();
        File::create(&file).unwrap();
    }
}

/// Far more bodies than blocking threads: none may hold a thread while it waits for its client.
#[test]
fn thousand_slow_bodies_need_two_blocking_threads() {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let subject = subject_in(folder.path()).await;
        let (senders, puts): (Vec<_>, Vec<_>) = (0..1000)
            .map(|n| {
                let (sender, body) = channel();
                let store = Arc::clone(&subject.store);
                let key = key("acme", &format!("fw-{}", n % 20));
                let put = async move { store.put(&key, None, metadata(), body).await };
                (sender, tokio::spawn(put))
            })
            .unzip();
        for round in 0..5 {
            for sender in &senders {
                sender.send(content(round, 100).into()).await.unwrap();
            }
        }
        // All of them are under way, and another put still succeeds.
        subject.put(&key("other", "fw-01"), b"bytes").await;
        drop(senders);
        for put in puts {
            assert_eq!(put.await.unwrap().unwrap(), 500);
        }
        assert_eq!(subject.keys("acme/").await.len(), 1000);
        subject.assert_no_leftovers().await;
    });
}
