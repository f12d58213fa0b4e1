//! The owner of the store's directory, and who may change it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use strongroom::store::{BlobStore, LocalStore, StoreError};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::subject_in;
use crate::fixture::*;

async fn refusal(root: &Path, new: bool) -> String {
    match LocalStore::new(root.to_owned(), Handle::current()).prepare(new).await {
        Err(StoreError::Refused(line)) => {
            assert!(!line.contains('\n') && line.contains(root.to_str().unwrap()), "{line}");
            line
        }
        other => panic!("{other:?}"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn directory_accessible_to_others_is_refused_with_the_command_that_repairs_it() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    let subject = subject_in(&root).await;
    let key = key("acme", "fw-01");
    subject.put(&key, b"bytes").await;
    for mode in [0o755, 0o777, 0o1777, 0o770, 0o701, 0o704, 0o720] {
        set_mode(&root, mode);
        for new in [false, true] {
            let line = refusal(&root, new).await;
            assert!(line.contains("BACKUP_DATA_DIR") && line.contains("chmod 0700"), "{line}");
        }
    }
    for mode in [0o700, 0o750, 0o710] {
        set_mode(&root, mode);
        assert_eq!(subject_in(&root).await.read(&key).await.unwrap(), b"bytes");
    }
}

#[tokio::test]
async fn empty_directory_becomes_private_and_another_becomes_no_store() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    fs::create_dir(&root).unwrap();
    // A new file system has such a folder.
    fs::create_dir(root.join("lost+found")).unwrap();
    set_mode(&root, 0o1777);
    let store = LocalStore::new(root.clone(), Handle::current());
    // It may be the mount point of a disk that is not mounted.
    unavailable_error(store.prepare(false).await);
    assert_eq!(root.metadata().unwrap().permissions().mode() & 0o7777, 0o1777);
    store.prepare(true).await.unwrap();
    assert_eq!(root.metadata().unwrap().permissions().mode() & 0o7777, 0o700);

    let used = folder.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("file"), b"another's").unwrap();
    set_mode(&used, 0o755);
    assert!(refusal(&used, true).await.contains("chmod 0700"));
    assert_eq!(used.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn a_directory_of_another_user_is_refused() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    let subject = subject_in(&root).await;
    subject.put(&key("acme", "fw-01"), b"bytes").await;
    // Only root can give a directory to another user; other users test with one of root's.
    let root = match chown(&root, Some(12345), None) {
        Ok(()) => root,
        Err(_) => "/usr".into(),
    };
    let line = refusal(&root, true).await;
    assert!(line.contains("belongs to the user") && line.contains("chown"), "{line}");
}

#[tokio::test]
async fn temporary_files_in_a_folder_of_another_user_are_refused() {
    let folder = TempDir::new().unwrap();
    subject_in(folder.path()).await;
    // Only root could have made such a folder.
    if chown(folder.path().join(".tmp"), Some(12345), None).is_ok() {
        assert!(refusal(folder.path(), false).await.contains(".tmp"));
    }
}

#[tokio::test]
async fn relative_path_is_reported_as_an_absolute_one() {
    let store = LocalStore::new("no-such-folder/objects".into(), Handle::current());
    let place = std::env::current_dir().unwrap().join("no-such-folder/objects");
    assert!(unavailable_error(store.prepare(false).await).contains(place.to_str().unwrap()));
}

#[tokio::test]
async fn name_that_no_file_system_accepts_is_reported() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("a".repeat(300));
    let store = LocalStore::new(root.clone(), Handle::current());
    let told = unavailable_error(store.prepare(true).await);
    assert!(told.contains(root.to_str().unwrap()) && told.contains("os error 36"), "{told}");
}
