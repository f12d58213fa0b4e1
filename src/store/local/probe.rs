//! Finds out whether an upload would succeed, by doing what one does: it writes and syncs a temporary file, gives it a name
//! in a folder that it makes for it, and syncs the folders. Then it removes all of that.
//!
//! Its folder has a name that starts with a dot, so it is no organization's. The name of its file is always the same: what a
//! process that died has left there is replaced by the next probe, and removed with it.

use std::io;

use bytes::Bytes;

use super::Disk;
use super::folder::Folder;
use super::folders::sync_parents;
use super::publication::Publication;
use super::temp::Temp;

const FOLDER: &str = ".probe";
const FILE: &str = ".probe/probe";
/// A whole block, so that a full disk is noticed.
const CONTENT: [u8; 4096] = [0; 4096];

/// Blocks.
pub(super) fn probe(disk: &Disk) -> io::Result<()> {
    let mut temp = Temp::create(disk)?;
    temp.write_last(vec![Bytes::from_static(&CONTENT)])?;
    temp.sync()?;
    let root = disk.root_of(&temp)?;
    let published = Publication::new(FILE).place(&root, &temp).and_then(|folder| {
        temp.keep();
        folder.sync()?;
        sync_parents(&root, FOLDER)
    });
    // Nothing depends on that this is durable.
    let removed = remove(&root);
    published.and(removed)?;
    disk.rounds.check(&root)
}

/// Another process may be probing: what it has removed already is gone, and its file keeps the folder.
fn remove(root: &Folder) -> io::Result<()> {
    use io::ErrorKind::{DirectoryNotEmpty, NotFound};
    let removed = [root.remove(FILE), root.remove_folder(FOLDER)];
    let passing = |error: &io::Error| matches!(error.kind(), NotFound | DirectoryNotEmpty);
    removed.into_iter().filter(|result| !result.as_ref().is_err_and(passing)).collect()
}
