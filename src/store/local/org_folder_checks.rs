//! Checks whether uploads could put objects into the folders of organizations: some folders with each check of the store.
//!
//! The probe checks the store as a whole. If the folder of an organization was moved to another disk, or belongs to another
//! user, only the uploads of this organization fail.

use std::io;
use std::sync::Mutex;

use rustix::fs::{AtFlags, StatxFlags, statx};

use super::folder::{Folder, at};
use super::mutex::lock;
use crate::domain::ids::OrgId;

/// The number of folders that one check inspects: a check must not take long.
const MAX_FOLDERS: usize = 64;
/// The number of entries that one check reads: some may not be folders of organizations.
const MAX_ENTRIES: usize = 512;

/// The position at which the next check continues.
#[derive(Default)]
pub(super) struct OrgFolderChecks(Mutex<Position>);

#[derive(Default)]
struct Position {
    /// The directory offset of the entry after which to continue; 0: at the beginning.
    offset: i64,
    /// The folder that failed the last check. It is checked first again, so that its error is reported until it is
    /// repaired.
    failed: Option<String>,
}

impl OrgFolderChecks {
    /// Checks some folders. Blocks.
    ///
    /// # Errors
    /// One of the folders can't store an object.
    pub(super) fn check(&self, root: &Folder) -> io::Result<()> {
        let mut position = lock(&self.0);
        if let Some(name) = &position.failed {
            check_folder(root, name)?;
            position.failed = None;
        }
        let mut entries = root.open_folder(".")?.entries()?;
        if position.offset != 0 {
            entries.seek(position.offset).map_err(at(&root.path_of(".")))?;
        }
        let mut checked = 0;
        for _ in 0..MAX_ENTRIES {
            let Some(entry) = entries.next().transpose().map_err(at(&root.path_of(".")))? else {
                position.offset = 0;
                break;
            };
            position.offset = entry.offset();
            let Some(name) = entry.file_name().to_str().ok().filter(|name| OrgId::parse(name).is_ok()) else {
                continue;
            };
            if let Err(error) = check_folder(root, name) {
                position.failed = Some(name.to_owned());
                return Err(error);
            }
            checked += 1;
            if checked == MAX_FOLDERS {
                break;
            }
        }
        Ok(())
    }
}

/// Checks whether an upload could put an object into this folder. Skips a plain file: it is not an organization's.
fn check_folder(root: &Folder, name: &str) -> io::Result<()> {
    let path = root.path_of(name);
    let all = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = |folder: &Folder, name: &str, flags| statx(folder, name, flags, all);
    let found = match stat(root, name, AtFlags::SYMLINK_NOFOLLOW) {
        // The last object in it was removed.
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        found => found.map_err(at(&path))?,
    };
    let own = stat(root, "", AtFlags::EMPTY_PATH).map_err(at(&path))?;
    let error = |why: &str| Err(io::Error::other(format!("{}: {why}", path.display())));
    match u32::from(found.stx_mode) & libc::S_IFMT {
        libc::S_IFDIR => {}
        libc::S_IFLNK => return error("it is a link, and links are not followed"),
        _ => return Ok(()),
    }
    let device = |found: &rustix::fs::Statx| (found.stx_dev_major, found.stx_dev_minor, found.stx_mnt_id);
    if device(&found) != device(&own) {
        return error("it is on another file system than the store, so no object can be put there");
    }
    if found.stx_uid != own.stx_uid {
        return error(&format!("it belongs to the user {}, and not to the store's", found.stx_uid));
    }
    root.check_access(name)
}
