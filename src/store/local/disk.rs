//! The store's directory, and the blocking threads on which each step on its files runs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, Once};

use tokio::runtime::Handle;

use super::appender::FastBodies;
use super::folder::Folder;
use super::folders::DurableFolders;
use super::org_folder_checks::OrgFolderChecks;
use crate::store::StoreError;

/// The folder of the files that are being written.
pub(super) const TMP: &str = ".tmp";

/// The state that all steps share.
pub(super) struct Disk {
    /// Absolute, so that a line in the log says where it is.
    pub(super) root: PathBuf,
    pub(super) blocking: Handle,
    pub(super) fast_bodies: FastBodies,
    pub(super) durable_folders: DurableFolders,
    pub(super) org_folder_checks: OrgFolderChecks,
    pub(super) location_logged: Once,
    /// Whether the file system may have links: unset by the first put that finds none.
    pub(super) has_links: AtomicBool,
    /// How many objects are being put ahead, or have a mark that this process holds.
    pub(super) ahead: AtomicUsize,
    /// The names of marks that are to be removed, and their locked files (`marks.rs`).
    pub(super) removals: Mutex<Vec<(String, File)>>,
}

impl Disk {
    pub(super) fn new(root: PathBuf, blocking: Handle) -> Self {
        let root = std::path::absolute(&root).unwrap_or(root);
        let (durable_folders, org_folder_checks) = (DurableFolders::default(), OrgFolderChecks::default());
        let (has_links, ahead, removals) = (AtomicBool::new(true), AtomicUsize::new(0), Mutex::default());
        let location_logged = Once::new();
        Self {
            root,
            fast_bodies: FastBodies::new(blocking.clone()),
            blocking,
            durable_folders,
            org_folder_checks,
            location_logged,
            has_links,
            ahead,
            removals,
        }
    }

    /// Runs one step on the blocking threads. If the future is dropped, the step still runs to its end, and its result is
    /// dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.blocking.spawn_blocking(work).await;
        done.map_err(io::Error::other).flatten().map_err(unavailable(doing))
    }

    /// Opens the store's directory for one step: at the next step another directory may have this path.
    pub(super) fn open(&self) -> io::Result<Folder> {
        Folder::root(&self.root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_mounted(&self.root),
            _ => error,
        })
    }

    /// Opens the store's directory, if `tmp` is still its folder of temporary files.
    pub(super) fn open_with(&self, tmp: &Folder) -> io::Result<Folder> {
        let root = self.open()?;
        if tmp_of(&root)?.is_same(tmp)? {
            return Ok(root);
        }
        let message = format!("{} was replaced while an object was written", self.root.display());
        Err(io::Error::other(message))
    }
}

/// Opens the folder of temporary files. If even that is missing (a disk that is not mounted), it is not known whether an
/// object exists, and none may be written.
pub(super) fn tmp_of(root: &Folder) -> io::Result<Folder> {
    root.open_path(TMP).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => not_mounted(&root.path_of(TMP)),
        _ => error,
    })
}

/// Distinguishes an object that does not exist (`Ok`) from a store that can't be read.
pub(super) fn confirm_missing(root: &Folder, error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { tmp_of(root).map(drop) } else { Err(error) }
}

pub(super) fn not_mounted(path: &Path) -> io::Error {
    io::Error::other(format!("{} is missing: is the disk mounted?", path.display()))
}

/// Converts an error of a file operation to a [`StoreError`].
pub(super) fn unavailable(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Unavailable { doing, source }
}
