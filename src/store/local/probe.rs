//! Checks whether an upload would succeed, by doing what one does: writes and syncs a temporary file, renames it into a
//! folder that it creates, and syncs the folders. Then it removes all of that.
//!
//! The folder's name starts with a dot, so it is not an organization's. The file's name is always the same: the file of
//! a process that died is replaced by the next probe, and removed with it.

use std::io;

use bytes::Bytes;

use super::disk::Disk;
use super::folder::Folder;
use super::folders::sync_parents;
use super::publication::Publication;
use super::temp_file::TempFile;

const FOLDER: &str = ".probe";
const FILE: &str = ".probe/probe";
/// A whole block, so that a full disk is detected.
const CONTENT: [u8; 4096] = [0; 4096];

/// Writes and removes a file. Blocks.
pub(super) fn probe(disk: &Disk) -> io::Result<()> {
    let mut temp = TempFile::create(disk)?;
    temp.write_last(vec![Bytes::from_static(&CONTENT)])?;
    temp.sync()?;
    let root = disk.open_with(temp.name().folder())?;
    let published = Publication::new(FILE).rename_into_place(&root, &temp).and_then(|folder| {
        temp.keep();
        folder.sync()?;
        sync_parents(&root, FOLDER)
    });
    // The removal need not be durable.
    let removed = remove(&root);
    published.and(removed)?;
    disk.org_folder_checks.check(&root)
}

/// Accepts the effects of a probe of another process at the same time: it may have removed a name, or its file may be in the
/// folder.
fn remove(root: &Folder) -> io::Result<()> {
    use io::ErrorKind::{DirectoryNotEmpty, NotFound};
    let removed = [root.remove(FILE), root.remove_folder(FOLDER)];
    let is_race = |error: &io::Error| matches!(error.kind(), NotFound | DirectoryNotEmpty);
    removed.into_iter().filter(|result| !result.as_ref().is_err_and(is_race)).collect()
}
