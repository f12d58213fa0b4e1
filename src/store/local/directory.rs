//! Prepares the store's directory at the start, and checks whether objects are safe in it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, fchmod};

use super::disk::{Disk, TMP, not_mounted};
use super::folder::{Folder, at};
use super::folders::make_with_parents;

/// The mode bits that give other users any access, or the group write access.
const FOREIGN_ACCESS: u32 = 0o027;
/// The only entry of a new file system.
const LOST_AND_FOUND: &str = "lost+found";

/// Why the directory can't be used.
pub(super) enum PrepareError {
    /// The directory can't be used until an operator changes it. The line describes the change.
    Refused(String),
    /// The error may be temporary.
    Unavailable(io::Error),
}

impl From<io::Error> for PrepareError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Prepares the directory. `new`: the database has no stored backup, so the directory may be created. Blocks.
pub(super) fn prepare(disk: &Disk, new: bool) -> Result<(), PrepareError> {
    if new {
        make_with_parents(&disk.root)?;
    }
    let root = disk.open()?;
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    if !new && root.metadata_of(TMP).is_err_and(|error| missing(&error)) {
        // Owner and mode of an empty mount point say nothing about the disk that belongs there.
        return Err(not_mounted(&root.path_of(TMP)).into());
    }
    let owner = check_private(&root, new)?;
    let tmp = match root.metadata_of(TMP) {
        Err(error) if new && missing(&error) => {
            root.make_folder(TMP)?;
            root.open_folder(".")?.sync()?;
            root.metadata_of(TMP)?
        }
        found => found?,
    };
    if tmp.is_dir() && tmp.uid() == owner {
        return Ok(());
    }
    let path = root.path_of(TMP);
    let path = path.display();
    Err(PrepareError::Refused(format!(
        "BACKUP_DATA_DIR: {path} has to be a directory of its own, owned by the user of the service: move it away"
    )))
}

/// Checks that only the user of this process can read or change the directory's content. Returns its owner.
fn check_private(root: &Folder, new: bool) -> Result<u32, PrepareError> {
    let (metadata, path) = (root.metadata()?, root.path_of("."));
    let (own, owner, path) = (rustix::process::geteuid().as_raw(), metadata.uid(), path.display());
    if owner != own {
        return Err(PrepareError::Refused(format!(
            "BACKUP_DATA_DIR: {path} belongs to the user {owner}, and the service runs as {own}: \
             run `chown -R {own} {path}`, or start the service as that user"
        )));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & FOREIGN_ACCESS == 0 {
        return Ok(owner);
    }
    if new && is_empty(root)? {
        let folder = root.open_folder(".")?;
        fchmod(&folder, Mode::RWXU).map_err(at(&root.path_of(".")))?;
        // Other users may have written to the directory before the change.
        if is_empty(root)? {
            log::info!("{path} was open to other users (mode {mode:04o}): it has mode 0700 now");
            return Ok(owner);
        }
    }
    Err(PrepareError::Refused(format!(
        "BACKUP_DATA_DIR: {path} is open to other users (mode {mode:04o}): look at what is in it, and run `chmod 0700 {path}`"
    )))
}

fn is_empty(root: &Folder) -> io::Result<bool> {
    for entry in root.open_folder(".")?.entries()? {
        let entry = entry.map_err(at(&root.path_of(".")))?;
        let name = entry.file_name().to_bytes();
        if ![&b"."[..], b"..", LOST_AND_FOUND.as_bytes()].contains(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Describes where the store is, without links, and on which file system. Blocks.
pub(super) fn description(root: &Path) -> String {
    let path = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match file_system(&path, &mounts) {
        Some(name) => format!("{} ({name})", path.display()),
        None => path.display().to_string(),
    }
}

/// Returns the type of the file system that a path without links is on: that of the longest mount point above it, and of
/// the last of several mounts on the same point.
fn file_system<'a>(path: &Path, mounts: &'a str) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = unescaped(mount.split(' ').nth(4)?);
        Some((Path::new(&point).components().count(), kind.split(' ').next()?, path.starts_with(&point)))
    };
    let above = mounts.lines().filter_map(mount).filter(|(_, _, above)| *above);
    above.max_by_key(|(depth, _, _)| *depth).map(|(_, kind, _)| kind)
}

/// Decodes a mount point: blanks and the like are written as `\040`.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount_point() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            30 22 8:2 / /srv rw - xfs /dev/sdb1 rw\n\
            31 30 8:3 / /srv/a\\040b rw - ext3 /dev/sdc1 rw\n\
            32 30 0:40 / /srv/a\\040b rw - btrfs /dev/sdd1 rw\n\
            33 22 0:41 / /srv-not rw - tmpfs tmpfs rw\n";
        for (path, kind) in [
            ("/var/lib/strongroom", "ext4"),
            ("/srv/strongroom", "xfs"),
            ("/srv/a b/strongroom", "btrfs"),
            ("/srv-not/x", "tmpfs"),
            ("/srv", "xfs"),
        ] {
            assert_eq!(file_system(Path::new(path), mounts), Some(kind), "{path}");
        }
        assert_eq!(file_system(Path::new("/srv"), ""), None);
    }
}
