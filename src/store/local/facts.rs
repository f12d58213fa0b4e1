//! Keeps an object's [`ObjectFacts`] in extended attributes of its file (`user.strongroom.*`), so that they go with the file
//! wherever a tool that keeps them moves it. On a file system without extended attributes objects have no facts.

use std::fs::File;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

use crate::store::ObjectFacts;

const NAMES: [&str; 3] =
    ["user.strongroom.filename", "user.strongroom.mimetype", "user.strongroom.system-id"];
/// Bytes of the longest value that is read; file names have at most 255.
const LONGEST: usize = 1024;

/// The values of [`NAMES`].
pub(super) struct Facts([Option<Vec<u8>>; 3]);

impl Facts {
    pub(super) fn of(about: &ObjectFacts) -> Self {
        let values = [&about.filename, &about.mimetype, &about.system_id.to_string()];
        Self(values.map(|value| Some(value.as_bytes().to_vec())))
    }

    /// Reads those of an existing file. Blocks.
    pub(super) fn read(file: &File) -> Self {
        Self(NAMES.map(|name| {
            let mut value = vec![0; LONGEST];
            let length = fgetxattr(file, name, &mut value[..]).ok()?;
            value.truncate(length);
            Some(value)
        }))
    }

    /// Sets them on a file, if its file system takes them. Blocks.
    pub(super) fn write(&self, file: &File) {
        for (name, value) in NAMES.iter().zip(&self.0) {
            let Some(value) = value else { continue };
            // The bytes are what matters: no failure here fails a backup.
            if let Err(error) = fsetxattr(file, *name, value, XattrFlags::empty()) {
                log::debug!("set {name}: {error}");
                return;
            }
        }
    }
}
