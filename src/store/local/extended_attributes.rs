//! Keeps an object's [`ObjectMetadata`] in extended attributes of its file (`user.strongroom.*`), so that they go with the file
//! wherever a tool that keeps them moves it. On a file system without extended attributes objects have no metadata.

use std::fs::File;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

use crate::store::ObjectMetadata;

const NAMES: [&str; 3] =
    ["user.strongroom.filename", "user.strongroom.mimetype", "user.strongroom.system-id"];
/// The size of the longest value that is read, in bytes; file names have at most 255.
const MAX_VALUE: usize = 1024;

/// The values of [`NAMES`].
pub(super) struct ExtendedAttributes([Option<Vec<u8>>; 3]);

impl ExtendedAttributes {
    pub(super) fn of(metadata: &ObjectMetadata) -> Self {
        let values = [&metadata.filename, &metadata.mimetype, &metadata.system_id.to_string()];
        Self(values.map(|value| Some(value.as_bytes().to_vec())))
    }

    /// Reads the attributes of an existing file. Blocks.
    pub(super) fn read(file: &File) -> Self {
        Self(NAMES.map(|name| {
            let mut value = vec![0; MAX_VALUE];
            let length = fgetxattr(file, name, &mut value[..]).ok()?;
            value.truncate(length);
            Some(value)
        }))
    }

    /// Sets the attributes of a file, if its file system supports them. Blocks.
    pub(super) fn write(&self, file: &File) {
        for (name, value) in NAMES.iter().zip(&self.0) {
            let Some(value) = value else { continue };
            // Only the bytes matter: an error here does not fail a backup.
            if let Err(error) = fsetxattr(file, *name, value, XattrFlags::empty()) {
                log::debug!("could not set {name}: {error}");
                return;
            }
        }
    }
}
