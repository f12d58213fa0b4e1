//! The store's folders, each opened below another one. All file operations go through them.
//!
//! The operator chooses the path of the store's directory, and links in it are followed. Below it no link is followed, in
//! any component of a name: a link that another user creates there must not lead a download or a deletion out of the store.
//!
//! Every error names its path.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, retry_on_intr};

const LISTABLE: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY);
/// Opens a folder to work below it, but not to list or sync it.
const PATH_ONLY: OFlags = OFlags::DIRECTORY.union(OFlags::PATH);
/// Opening something that is not a regular file must not block.
const NONBLOCKING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// An open folder. Names are relative to it, and may have several components.
pub(super) struct Folder {
    file: File,
    path: PathBuf,
}

/// Adds the path to an error, and keeps its kind.
pub(super) fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    }
}

impl Folder {
    /// Opens the store's directory. It can't be listed or synced: `root.open_folder(".")` can.
    pub(super) fn root(path: &Path) -> io::Result<Self> {
        let open = || fs::open(path, PATH_ONLY | OFlags::CLOEXEC, Mode::empty());
        let file = retry_on_intr(open).map_err(at(path))?;
        Ok(Self { file: file.into(), path: path.to_owned() })
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        if name == "." { self.path.clone() } else { self.path.join(name) }
    }

    /// Opens a folder to list or sync it, or to work below it.
    pub(super) fn open_folder(&self, name: &str) -> io::Result<Self> {
        self.open_with(name, LISTABLE)
    }

    /// Opens a folder to work below it.
    pub(super) fn open_path(&self, name: &str) -> io::Result<Self> {
        self.open_with(name, PATH_ONLY)
    }

    fn open_with(&self, name: &str, flags: OFlags) -> io::Result<Self> {
        let path = self.path_of(name);
        let file = open_beneath(&self.file, name, flags).map_err(at(&path))?;
        Ok(Self { file: file.into(), path })
    }

    /// Opens whatever has this name for reading, without blocking. The caller has to check what it is.
    pub(super) fn open_file(&self, name: &str) -> Result<File, Errno> {
        open_beneath(&self.file, name, NONBLOCKING).map(File::from)
    }

    /// Returns the metadata of a name, without following a link.
    pub(super) fn metadata_of(&self, name: &str) -> io::Result<Metadata> {
        let path = self.path_of(name);
        let file = File::from(open_beneath(&self.file, name, OFlags::PATH).map_err(at(&path))?);
        file.metadata().map_err(at(&path))
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata().map_err(at(&self.path))
    }

    /// Returns whether both are the same folder.
    pub(super) fn is_same(&self, other: &Self) -> io::Result<bool> {
        let (one, two) = (self.metadata()?, other.metadata()?);
        Ok((one.dev(), one.ino()) == (two.dev(), two.ino()))
    }

    /// Creates a private file that did not exist.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let opened = retry_on_intr(|| fs::openat(&self.file, name, flags, mode));
        opened.map(File::from).map_err(at(&self.path_of(name)))
    }

    /// Creates a private folder. If the name exists, that is success.
    pub(super) fn make_folder(&self, name: &str) -> io::Result<()> {
        self.in_parent(name, |parent, name| match fs::mkdirat(parent, name, Mode::RWXU) {
            Err(Errno::EXIST) => Ok(()),
            result => result,
        })
    }

    /// Removes something that is not a folder.
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

    /// Links a file of this folder to another name. Both names have one component.
    pub(super) fn link(&self, name: &str, to: &Self, new: &str) -> Result<(), Errno> {
        fs::linkat(&self.file, name, &to.file, new, AtFlags::empty())
    }

    /// Makes the names in it durable. A failed sync is never repeated.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(at(&self.path))
    }

    pub(super) fn entries(&self) -> io::Result<Dir> {
        Dir::read_from(&self.file).map_err(at(&self.path))
    }

    /// Checks that the process may list a folder, and create and remove names in it.
    pub(super) fn check_access(&self, name: &str) -> io::Result<()> {
        let all = fs::Access::READ_OK | fs::Access::WRITE_OK | fs::Access::EXEC_OK;
        fs::accessat(&self.file, name, all, AtFlags::empty()).map_err(at(&self.path_of(name)))
    }

    fn in_parent(&self, name: &str, work: impl FnOnce(&File, &str) -> Result<(), Errno>) -> io::Result<()> {
        let done = match name.rsplit_once('/') {
            Some((parent, last)) => work(&self.open_path(parent)?.file, last),
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
fn open_beneath(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match retry_on_intr(|| fs::openat2(folder, name, flags, Mode::empty(), resolve)) {
        // The kernel, or a system call filter, does not know `openat2`; or the kernel asks for another attempt.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => open_by_components(folder, name, flags),
        result => result,
    }
}

/// Like `open_beneath`, with one system call for each component.
fn open_by_components(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut opened: Option<OwnedFd> = None;
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        if matches!(part, "" | "..") {
            return Err(Errno::INVAL);
        }
        let path_only = PATH_ONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = if parts.peek().is_some() { path_only } else { flags };
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

    type OpenFn = fn(&File, &str, OFlags) -> Result<OwnedFd, Errno>;

    #[test]
    fn neither_way_to_open_a_name_follows_a_link_or_leaves_the_folder() {
        let outside = TempDir::new().unwrap();
        std::fs::create_dir_all(outside.path().join("root/acme/fw-01")).unwrap();
        std::fs::write(outside.path().join("root/acme/fw-01/object"), b"ours").unwrap();
        std::fs::write(outside.path().join("object"), b"another's").unwrap();
        symlink("acme", outside.path().join("root/linked")).unwrap();
        symlink("../..", outside.path().join("root/acme/out")).unwrap();
        symlink("fw-01/object", outside.path().join("root/acme/object")).unwrap();
        let root = File::open(outside.path().join("root")).unwrap();
        let flags = NONBLOCKING | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for open in [open_beneath as OpenFn, open_by_components] {
            assert!(open(&root, "acme/fw-01/object", flags).is_ok());
            assert!(open(&root, ".", LISTABLE | OFlags::CLOEXEC).is_ok());
            assert_eq!(open(&root, "acme/fw-02/object", flags).unwrap_err(), Errno::NOENT);
            for name in ["linked/fw-01/object", "acme/out/object", "acme/object", "../object", "/etc/passwd"]
            {
                let error = open(&root, name, flags).unwrap_err();
                assert!(error != Errno::NOENT, "{name}: {error}");
            }
        }
    }
}
