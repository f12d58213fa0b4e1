//! Finds and opens objects. Only a regular file of the right size is an object.

use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::disk::{Disk, confirm_missing, unavailable};
use super::folder::{Folder, at};
use super::open_object::{ACTION, OpenObject, too_short};
use crate::domain::object_key::ObjectKey;
use crate::domain::range::ByteRange;
use crate::store::{ObjectBody, StoreError};

/// The result of the look-up of a key.
enum Lookup<T> {
    Object(T),
    Nothing,
    /// Something other than an object has the key. The text describes it.
    Other(String),
}

impl<T> Lookup<T> {
    fn object(self) -> Result<T, StoreError> {
        match self {
            Self::Object(object) => Ok(object),
            Self::Nothing => Err(StoreError::NotFound),
            Self::Other(what) => Err(StoreError::Damaged(what)),
        }
    }
}

pub(super) async fn head(disk: &Arc<Disk>, key: &ObjectKey) -> Result<u64, StoreError> {
    let (own, key) = (Arc::clone(disk), key.clone());
    let work = move || {
        let root = own.open()?;
        match root.metadata_of(key.as_str()) {
            Ok(metadata) if metadata.is_file() => Ok(Lookup::Object(metadata.len())),
            Ok(metadata) => Ok(other(&root.path_of(key.as_str()), metadata.file_type())),
            Err(error) => confirm_missing(&root, error).map(|()| Lookup::Nothing),
        }
    };
    disk.run("inspect the object", work).await?.object()
}

pub(super) async fn get(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    size: u64,
    range: Option<ByteRange>,
) -> Result<ObjectBody, StoreError> {
    let opened = open(disk, key, Some(size)).await?;
    if range.is_some_and(|range| range.last >= size) {
        return Err(unavailable(ACTION)(too_short(opened.name())));
    }
    Ok(opened.body(disk, range))
}

/// Opens an object. Checks its size if `size` is set.
pub(super) async fn open(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    size: Option<u64>,
) -> Result<OpenObject, StoreError> {
    let (own, key) = (Arc::clone(disk), key.clone());
    let work = move || {
        let root = own.open()?;
        match open_file(&root, key.as_str(), size) {
            Err(error) => confirm_missing(&root, error).map(|()| Lookup::Nothing),
            result => result,
        }
    };
    disk.run("open the object", work).await?.object()
}

fn open_file(root: &Folder, name: &str, size: Option<u64>) -> io::Result<Lookup<OpenObject>> {
    let path = root.path_of(name);
    let file = match root.open_file(name) {
        Ok(file) => file,
        // A link, a socket or a device without a driver; or a link above it.
        Err(error @ (Errno::LOOP | Errno::NXIO | Errno::NODEV)) => {
            let file_type = root.metadata_of(name)?.file_type();
            return if file_type.is_file() { Err(at(&path)(error)) } else { Ok(other(&path, file_type)) };
        }
        Err(error) => return Err(at(&path)(error)),
    };
    let metadata = file.metadata().map_err(at(&path))?;
    if !metadata.is_file() {
        return Ok(other(&path, metadata.file_type()));
    }
    let found = metadata.len();
    if let Some(size) = size.filter(|size| *size != found) {
        let what = format!("{} has {found} bytes, and had {size} when it was stored", path.display());
        return Ok(Lookup::Other(what));
    }
    let name = path.display().to_string();
    Ok(Lookup::Object(OpenObject::new(file, name, &metadata)))
}

fn other<T>(path: &Path, file_type: FileType) -> Lookup<T> {
    let what = match file_type {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Lookup::Other(format!("{} is {what}", path.display()))
}
