//! Disks that are full, read-only or cannot be synced.
//!
//! A test that needs such a disk, or must not be root, runs itself again in namespaces of its own (`common::namespaces`).

use std::fs::{self, DirBuilder};
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::{names_in, subject_in};
use crate::common::namespaces::{self, Way};
use crate::fixture::*;

/// Set in the process that runs in the namespaces.
const INSIDE: &str = "STRONGROOM_TEST_NAMESPACE";
fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"))
}

/// Runs a test where it has mounts of its own.
pub fn with_own_mounts<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    inside(namespaces::own_mounts, "mounts of their own", name, test);
}

/// Runs a test as an ordinary user, also when the tests run as root.
pub fn as_ordinary_user<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    inside(namespaces::ordinary_user, "an ordinary user", name, test);
}

fn inside<F: Future<Output = ()>>(
    way: fn() -> Option<Way>,
    needs: &str,
    name: &str,
    test: impl FnOnce() -> F,
) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(test());
    }
    let Some(way) = way() else { return namespaces::skip(name, needs) };
    let output = Command::new(way[0])
        .args(&way[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &test_called(name), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let passed = output.status.success() && said[0].contains("1 passed");
    assert!(passed, "{}\n{}", said[0], said[1]);
}

/// Returns the full name of a test: of this module, unless the name has a path.
fn test_called(name: &str) -> String {
    if name.contains("::") { format!("local::{name}") } else { format!("local::hostile::{name}") }
}

pub fn mount(args: &[&str], folder: &Path) {
    let args = [args, &[folder.to_str().unwrap()]].concat();
    let output = run("mount", &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mount {args:?}: {said}");
}

/// A file system of 1 MiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], folder.path());
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Otherwise the folder could not be removed.
        run("umount", &["--lazy", self.path().to_str().unwrap()]);
    }
}

/// Fills the disk until the store's check fails, and returns the error. Meanwhile, blocks of a file that was
/// just removed may become free.
async fn full(subject: &Subject, filler: &Path) -> String {
    for _ in 0..1000 {
        assert!(fs::write(filler, vec![1; 2 << 20]).is_err());
        if let Err(error) = subject.store.check().await {
            return error.to_string();
        }
    }
    panic!("the disk is full, and the store does not notice");
}

#[test]
fn a_full_disk_fails_the_put_and_leaves_nothing() {
    with_own_mounts("a_full_disk_fails_the_put_and_leaves_nothing", || async {
        let disk = SmallDisk::new();
        let subject = subject_in(disk.path()).await;
        let (kept, old) = (key("acme", "fw-01"), content(1, 100_000));
        subject.put(&kept, &old).await;
        for length in [None, Some(3 << 20)] {
            // First under a new key, then over an existing object.
            for key in [key("acme", "fw-02"), kept.clone()] {
                let put = subject.store.put(&key, length, metadata(), whole(&content(2, 3 << 20)));
                let error = put_error(put.await);
                assert!(error.contains("disk full") && error.contains("os error 28"), "{error}");
                assert!(error.contains(disk.path().to_str().unwrap()), "{error}");
                subject.assert_no_leftovers().await;
                assert_eq!(subject.keys("").await, [kept.to_string()]);
            }
        }
        assert_eq!(subject.read(&kept).await.unwrap(), old);
        // What fits is stored, and its space is free again each time.
        for seed in 0..20 {
            let key = key("acme", "fw-02");
            subject.put(&key, &content(seed, 700_000)).await;
            subject.store.delete(&key).await.unwrap();
        }

        subject.store.check().await.unwrap();
        assert_eq!(names_in(&disk.path().join(".tmp")), Vec::<String>::new());
        let error = full(&subject, &disk.path().join("filler")).await;
        assert!(error.contains("disk full"), "{error}");
        assert_eq!(subject.read(&kept).await.unwrap(), old);
        // Deleting frees space on a full disk.
        subject.store.delete(&kept).await.unwrap();
        subject.store.check().await.unwrap();
    });
}

#[test]
fn read_only_disk_serves_reads_and_refuses_puts() {
    with_own_mounts("read_only_disk_serves_reads_and_refuses_puts", || async {
        let disk = SmallDisk::new();
        let subject = subject_in(disk.path()).await;
        let (key, content) = (key("acme", "fw-01"), content(1, 1000));
        subject.put(&key, &content).await;
        mount(&["-o", "remount,bind,ro"], disk.path());

        let error = put_error(subject.store.put(&key, None, metadata(), whole(b"new")).await);
        assert!(error.contains("disk read-only") && error.contains("os error 30"), "{error}");
        assert!(error.contains(disk.path().to_str().unwrap()), "{error}");
        assert!(is_unavailable(&subject.store.check().await));
        assert!(is_unavailable(&subject.store.delete(&key).await));
        assert_eq!(subject.read(&key).await.unwrap(), content);
        assert_eq!(subject.keys("").await, [key.to_string()]);
        // A new process reads the same.
        assert_eq!(subject_in(disk.path()).await.read(&key).await.unwrap(), content);

        mount(&["-o", "remount,bind,rw"], disk.path());
        subject.store.check().await.unwrap();
        subject.store.delete(&key).await.unwrap();
    });
}

/// A folder that may be written but not opened cannot be synced. The system's folder can be synced, so the put
/// has renamed its file when it comes to the organization's.
#[test]
fn put_whose_folder_cannot_be_synced_is_undone() {
    as_ordinary_user("put_whose_folder_cannot_be_synced_is_undone", || async {
        let disk = TempDir::new().unwrap();
        let subject = subject_in(disk.path()).await;
        let org = disk.path().join("acme");
        DirBuilder::new().mode(0o300).create(&org).unwrap();
        let key = key("acme", "fw-01");
        let result = subject.store.put(&key, None, metadata(), whole(b"bytes")).await;
        let error = put_error(result);
        assert!(error.contains("ermission denied") && error.contains(org.to_str().unwrap()), "{error}");
        subject.assert_no_leftovers().await;
        assert!(is_not_found(&subject.store.head(&key).await));
        assert_eq!(names_in(disk.path()), [".tmp", "acme"]);
        assert_eq!(names_in(&org.join("fw-01")), Vec::<String>::new());

        // An unreadable folder is an error and no empty list, unless it is not the service's.
        let list: Result<Vec<_>, _> = subject.store.list("").try_collect().await;
        assert!(is_unavailable(&list));
        fs::set_permissions(&org, fs::Permissions::from_mode(0o700)).unwrap();
        fs::remove_dir_all(&org).unwrap();
        let not_ours = disk.path().join("lost+found");
        DirBuilder::new().mode(0o000).create(&not_ours).unwrap();
        assert_eq!(subject.keys("").await, Vec::<String>::new());
        fs::remove_dir(not_ours).unwrap();
    });
}
