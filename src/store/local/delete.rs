//! Deletes the file of an object.

use std::io;

use super::disk::{Disk, confirm_missing};
use super::folders::{parent_of, remove_empty};
use crate::domain::object_key::ObjectKey;

/// Deletes an object, durably. May be repeated. Blocks.
pub(super) fn delete(disk: &Disk, key: &ObjectKey) -> io::Result<()> {
    let root = disk.open()?;
    root.remove(key.as_str()).or_else(|error| confirm_missing(&root, error))?;
    fail_point!("local.removed");
    // Sync the folder even if the file does not exist: the process that removed it may have died before its sync.
    remove_empty(&root, parent_of(key.as_str()))
}
