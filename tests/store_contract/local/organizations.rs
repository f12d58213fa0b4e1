//! The store's check also covers the folders of organizations, some at a time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::hostile::{as_ordinary_user, mount, with_own_mounts};
use super::{names_in, subject_in};
use crate::fixture::*;

/// Returns the error of one of the next checks: each checks only some folders.
async fn next_check_error(subject: &Subject) -> String {
    for _ in 0..100 {
        if let Err(error) = subject.store.check().await {
            return error.to_string();
        }
    }
    panic!("no check fails");
}

/// Checks that the error is reported, whatever else is checked, until the folder is repaired.
async fn is_reported_until_it_is_repaired(
    subject: &Subject,
    folder: &Path,
    word: &str,
    repair: impl FnOnce(),
) {
    for _ in 0..5 {
        let told = next_check_error(subject).await;
        assert!(told.contains(folder.to_str().unwrap()) && told.contains(word), "{told}");
        assert!(is_unavailable(&subject.store.check().await), "it is still there");
    }
    repair();
    for _ in 0..5 {
        subject.store.check().await.unwrap();
    }
}

#[tokio::test]
async fn link_in_place_of_an_organization_is_reported() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    let subject = subject_in(&root).await;
    // More folders than one check covers, and some that are not organizations.
    for n in 0..200 {
        fs::create_dir(root.join(format!("org-{n}"))).unwrap();
        fs::write(root.join(format!("file-{n}")), b"not ours").unwrap();
    }
    let link = root.join("linked");
    symlink(folder.path(), &link).unwrap();
    put_error(subject.store.put(&key("linked", "fw-01"), None, metadata(), whole(b"x")).await);
    is_reported_until_it_is_repaired(&subject, &link, "link", || fs::remove_file(&link).unwrap()).await;
    assert!(!names_in(&root).iter().any(|name| name == ".probe"));
}

#[test]
fn organization_on_another_disk_is_reported() {
    with_own_mounts("organizations::organization_on_another_disk_is_reported", || async {
        let folder = TempDir::new().unwrap();
        let subject = subject_in(folder.path()).await;
        let org = folder.path().join("acme");
        fs::create_dir(&org).unwrap();
        mount(&["-t", "tmpfs", "tmpfs"], &org);
        let put = put_error(subject.store.put(&key("acme", "fw-01"), None, metadata(), whole(b"x")).await);
        assert!(put.contains("os error 18") && put.contains(org.to_str().unwrap()), "{put}");
        subject.assert_no_leftovers().await;
        let unmount = || {
            let done = std::process::Command::new("umount").arg(&org).status().unwrap();
            assert!(done.success());
        };
        is_reported_until_it_is_repaired(&subject, &org, "another file system", unmount).await;
    });
}

#[test]
fn organization_that_cannot_be_written_to_is_reported() {
    as_ordinary_user("organizations::organization_that_cannot_be_written_to_is_reported", || async {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().unwrap();
        let subject = subject_in(folder.path()).await;
        let org = folder.path().join("acme");
        fs::create_dir(&org).unwrap();
        let set_mode = |mode| fs::set_permissions(&org, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o500);
        let put = put_error(subject.store.put(&key("acme", "fw-01"), None, metadata(), whole(b"x")).await);
        assert!(put.contains("os error 13") && put.contains(org.to_str().unwrap()), "{put}");
        is_reported_until_it_is_repaired(&subject, &org, "os error 13", || set_mode(0o700)).await;
        // A new organization needs write access to the root itself.
        let set_mode = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o500);
        assert!(unavailable_error(subject.store.check().await).contains("os error 13"));
        set_mode(0o700);
        subject.store.check().await.unwrap();
    });
}
