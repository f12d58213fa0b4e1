//! The local store: the contract, and what is special to files.

mod ahead;
mod facts;
mod files;
mod hostile;
mod leftovers;
mod organizations;
mod ownership;
mod strangers;

use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use strongroom::domain::object_key::ObjectKey;
use strongroom::store::{BlobStore, LocalStore};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::fixture::Subject;

crate::contract::run_contract!(subject);

pub async fn subject() -> Subject {
    let folder = TempDir::new().unwrap();
    subject_in(&folder.path().join("objects")).await.keeping(folder)
}

/// Returns a store in a folder that the test keeps.
pub async fn subject_in(root: &Path) -> Subject {
    let store = LocalStore::new(root.to_owned(), Handle::current());
    store.prepare(true).await.unwrap();
    let tmp = root.join(".tmp");
    let leftovers = move || {
        let (mut names, ahead) = (names_in(&tmp), tmp.join("ahead"));
        if ahead.is_dir() {
            names.retain(|name| name != "ahead");
            names.append(&mut names_in(&ahead));
        }
        std::future::ready(names).boxed()
    };
    Subject::new(store, Box::new(leftovers))
}

/// Returns the names in a folder.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the path of an object's file.
pub fn file_of(root: &Path, key: &ObjectKey) -> PathBuf {
    root.join(key.as_str())
}
