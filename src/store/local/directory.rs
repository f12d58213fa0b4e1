//! Makes the store's directory ready at the start, and looks whether objects may be trusted to it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, fchmod};

use super::folder::{Folder, at};
use super::{Disk, TMP, folders, not_mounted};

/// All rights of other users, and the right of the group to change what is in it.
const OPEN: u32 = 0o027;
/// What is in a file system that nobody has used yet.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// Why the directory can't be used.
pub(super) enum Unfit {
    /// As long as nobody changes it. One line says what to do.
    Refused(String),
    /// Perhaps only now.
    Unavailable(io::Error),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// `new`: by the books nothing is in the store, so it may be made. Blocks.
pub(super) fn prepare(disk: &Disk, new: bool) -> Result<(), Unfit> {
    if new {
        folders::make_with_parents(&disk.root)?;
    }
    let root = disk.open()?;
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    if !new && root.look(TMP).is_err_and(|error| missing(&error)) {
        // Owner and mode of an empty mount point say nothing about the disk that belongs there.
        return Err(not_mounted(&root.path_of(TMP)).into());
    }
    let owner = is_private(&root, new)?;
    let tmp = match root.look(TMP) {
        Err(error) if new && missing(&error) => {
            root.make(TMP)?;
            root.folder(".")?.sync()?;
            root.look(TMP)?
        }
        found => found?,
    };
    if tmp.is_dir() && tmp.uid() == owner {
        return Ok(());
    }
    let path = root.path_of(TMP);
    let path = path.display();
    Err(Unfit::Refused(format!(
        "BACKUP_DATA_DIR: {path} has to be a directory of its own, owned by the user of the service: move it away"
    )))
}

/// Whether nobody but the user of this process can change what is in the directory, or see it. Returns its owner.
fn is_private(root: &Folder, new: bool) -> Result<u32, Unfit> {
    let (metadata, path) = (root.metadata()?, root.path_of("."));
    let (own, owner, path) = (rustix::process::geteuid().as_raw(), metadata.uid(), path.display());
    if owner != own {
        return Err(Unfit::Refused(format!(
            "BACKUP_DATA_DIR: {path} belongs to the user {owner}, and the service runs as {own}: \
             run `chown -R {own} {path}`, or start the service as that user"
        )));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OPEN == 0 {
        return Ok(owner);
    }
    if new && is_unused(root)? {
        let folder = root.folder(".")?;
        fchmod(&folder, Mode::RWXU).map_err(at(&root.path_of(".")))?;
        // Until then others may have put something there.
        if is_unused(root)? {
            log::info!("{path} was open to other users (mode {mode:04o}): it has mode 0700 now");
            return Ok(owner);
        }
    }
    Err(Unfit::Refused(format!(
        "BACKUP_DATA_DIR: {path} is open to other users (mode {mode:04o}): look at what is in it, and run `chmod 0700 {path}`"
    )))
}

fn is_unused(root: &Folder) -> io::Result<bool> {
    for entry in root.folder(".")?.entries()? {
        let entry = entry.map_err(at(&root.path_of(".")))?;
        let name = entry.file_name().to_bytes();
        if ![&b"."[..], b"..", OF_THE_FILE_SYSTEM.as_bytes()].contains(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where the store is, without links, and on what file system. Blocks.
pub(super) fn description(root: &Path) -> String {
    let place = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match file_system(&place, &mounts) {
        Some(name) => format!("{} ({name})", place.display()),
        None => place.display().to_string(),
    }
}

/// The type of the file system that a path without links is on: that of the longest mount point above it, and of the last
/// one of several on the same point.
fn file_system<'a>(place: &Path, mounts: &'a str) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = unescaped(mount.split(' ').nth(4)?);
        Some((Path::new(&point).components().count(), kind.split(' ').next()?, place.starts_with(&point)))
    };
    let above = mounts.lines().filter_map(mount).filter(|(_, _, above)| *above);
    above.max_by_key(|(depth, _, _)| *depth).map(|(_, kind, _)| kind)
}

/// Mount points have blanks and the like as `\040`.
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
        for (place, kind) in [
            ("/var/lib/strongroom", "ext4"),
            ("/srv/strongroom", "xfs"),
            ("/srv/a b/strongroom", "btrfs"),
            ("/srv-not/x", "tmpfs"),
            ("/srv", "xfs"),
        ] {
            assert_eq!(file_system(Path::new(place), mounts), Some(kind), "{place}");
        }
        assert_eq!(file_system(Path::new("/srv"), ""), None);
    }
}
