//! The store's folders, each opened below another. All work on files goes through them.
//!
//! The path of the store's own directory is the operator's, and links in it are followed. Below it no link is followed, in
//! no component of a name: a link that somebody has put there must not lead a download or a deletion out of the store.
//!
//! Every error says which path it is about.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, retry_on_intr};

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY);
/// Enough to work below it, but not to list or to sync it.
const WAY: OFlags = OFlags::DIRECTORY.union(OFlags::PATH);
/// What is not a regular file must not block whoever opens it.
const OBJECT: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// An open folder. Names are relative to it, and may have several components.
pub(super) struct Folder {
    file: File,
    path: PathBuf,
}

/// Adds to an error which path it is about. The kind stays.
pub(super) fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    }
}

impl Folder {
    /// The store's directory. It cannot be listed or synced: `root.folder(".")` can.
    pub(super) fn root(path: &Path) -> io::Result<Self> {
        let open = || fs::open(path, WAY | OFlags::CLOEXEC, Mode::empty());
        let file = retry_on_intr(open).map_err(at(path))?;
        Ok(Self { file: file.into(), path: path.to_owned() })
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        if name == "." { self.path.clone() } else { self.path.join(name) }
    }

    /// Opens a folder to list it, to sync it, or to work below it.
    pub(super) fn folder(&self, name: &str) -> io::Result<Self> {
        self.opened(name, FOLDER)
    }

    /// Opens a folder to work below it.
    pub(super) fn enter(&self, name: &str) -> io::Result<Self> {
        self.opened(name, WAY)
    }

    fn opened(&self, name: &str, flags: OFlags) -> io::Result<Self> {
        let path = self.path_of(name);
        let file = beneath(&self.file, name, flags).map_err(at(&path))?;
        Ok(Self { file: file.into(), path })
    }

    /// Opens whatever has this name for reading, without waiting for anything. The caller looks at what it is.
    pub(super) fn file(&self, name: &str) -> Result<File, Errno> {
        beneath(&self.file, name, OBJECT).map(File::from)
    }

    /// What has this name. A link is a link.
    pub(super) fn look(&self, name: &str) -> io::Result<Metadata> {
        let path = self.path_of(name);
        let file = File::from(beneath(&self.file, name, OFlags::PATH).map_err(at(&path))?);
        file.metadata().map_err(at(&path))
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata().map_err(at(&self.path))
    }

    /// Whether both are the same folder.
    pub(super) fn is_same(&self, other: &Self) -> io::Result<bool> {
        let (one, two) = (self.metadata()?, other.metadata()?);
        Ok((one.dev(), one.ino()) == (two.dev(), two.ino()))
    }

    /// Makes a private file that was not there.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let opened = retry_on_intr(|| fs::openat(&self.file, name, flags, mode));
        opened.map(File::from).map_err(at(&self.path_of(name)))
    }

    /// Makes a private folder; that there is something of that name is success.
    pub(super) fn make(&self, name: &str) -> io::Result<()> {
        self.in_parent(name, |parent, name| match fs::mkdirat(parent, name, Mode::RWXU) {
            Err(Errno::EXIST) => Ok(()),
            result => result,
        })
    }

    /// Removes a name that is not a folder's.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.in_parent(name, |parent, name| fs::unlinkat(parent, name, AtFlags::empty()))
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self, name: &str) -> io::Result<()> {
        self.in_parent(name, |parent, name| fs::unlinkat(parent, name, AtFlags::REMOVEDIR))
    }

    /// Renames a file of this folder. Both names have one component.
    pub(super) fn rename(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        fs::renameat(&self.file, name, &to.file, new).map_err(at(&to.path_of(new)))
    }

    /// Makes the names in it durable. A failed sync is never tried again.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(at(&self.path))
    }

    pub(super) fn entries(&self) -> io::Result<Dir> {
        Dir::read_from(&self.file).map_err(at(&self.path))
    }

    /// Whether the process may list it, and make and remove names in it.
    pub(super) fn may_change(&self, name: &str) -> io::Result<()> {
        let all = fs::Access::READ_OK | fs::Access::WRITE_OK | fs::Access::EXEC_OK;
        fs::accessat(&self.file, name, all, AtFlags::empty()).map_err(at(&self.path_of(name)))
    }

    fn in_parent(&self, name: &str, work: impl FnOnce(&File, &str) -> Result<(), Errno>) -> io::Result<()> {
        let done = match name.rsplit_once('/') {
            Some((parent, last)) => work(&self.enter(parent)?.file, last),
            None => work(&self.file, name),
        };
        done.map_err(at(&self.path_of(name)))
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Opens a name below a folder without following any link.
fn beneath(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match retry_on_intr(|| fs::openat2(folder, name, flags, Mode::empty(), resolve)) {
        // The kernel, or a filter of system calls, does not know `openat2`; or the kernel asks for another attempt.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => step_by_step(folder, name, flags),
        result => result,
    }
}

/// The same with a system call for each component.
fn step_by_step(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut opened: Option<OwnedFd> = None;
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        if matches!(part, "" | "..") {
            return Err(Errno::INVAL);
        }
        let way = WAY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = if parts.peek().is_some() { way } else { flags };
        let from = opened.as_ref().map_or(folder.as_fd(), AsFd::as_fd);
        opened = Some(retry_on_intr(|| fs::openat(from, part, flags, Mode::empty()))?);
    }
    opened.ok_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    type Way = fn(&File, &str, OFlags) -> Result<OwnedFd, Errno>;

    #[test]
    fn both_ways_to_open_a_name_follow_no_link_and_leave_the_folder_by_none() {
        let outside = TempDir::new().unwrap();
        std::fs::create_dir_all(outside.path().join("root/acme/fw-01")).unwrap();
        std::fs::write(outside.path().join("root/acme/fw-01/object"), b"ours").unwrap();
        std::fs::write(outside.path().join("object"), b"another's").unwrap();
        symlink("acme", outside.path().join("root/linked")).unwrap();
        symlink("../..", outside.path().join("root/acme/out")).unwrap();
        symlink("fw-01/object", outside.path().join("root/acme/object")).unwrap();
        let root = File::open(outside.path().join("root")).unwrap();
        let flags = OBJECT | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for way in [beneath as Way, step_by_step] {
            assert!(way(&root, "acme/fw-01/object", flags).is_ok());
            assert!(way(&root, ".", FOLDER | OFlags::CLOEXEC).is_ok());
            assert_eq!(way(&root, "acme/fw-02/object", flags).unwrap_err(), Errno::NOENT);
            for name in ["linked/fw-01/object", "acme/out/object", "acme/object", "../object", "/etc/passwd"]
            {
                let error = way(&root, name, flags).unwrap_err();
                assert!(error != Errno::NOENT, "{name}: {error}");
            }
        }
    }
}
