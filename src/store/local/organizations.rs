//! Looks at the folders of organizations, some with each check of the store: whether an upload could put an object there.
//!
//! The probe finds out about the store as a whole. A folder of an organization that somebody has moved to another disk, or
//! given to another user, fails the uploads of this organization alone.

use std::io;
use std::sync::Mutex;

use rustix::fs::{AtFlags, StatxFlags, statx};

use super::folder::{Folder, at};
use super::lock;
use crate::domain::ids::OrgId;

/// Folders of one look: it must not take long, however many there are.
const AT_ONCE: usize = 64;
/// Entries that one look reads: there may be others than folders of organizations.
const ENTRIES: usize = 512;

/// Where the next look goes on.
#[derive(Default)]
pub(super) struct Rounds(Mutex<Next>);

#[derive(Default)]
struct Next {
    /// The directory's own mark of the entry after which to go on; 0: from the beginning.
    mark: i64,
    /// The folder that was unfit at the last look. It is the first to be looked at again, so that one that is unfit stays
    /// known until somebody has mended it.
    unfit: Option<String>,
}

impl Rounds {
    /// Looks at some folders. Blocks.
    ///
    /// # Errors
    /// One of them can't take an object.
    pub(super) fn check(&self, root: &Folder) -> io::Result<()> {
        let mut next = lock(&self.0);
        if let Some(name) = &next.unfit {
            fits(root, name)?;
            next.unfit = None;
        }
        let mut entries = root.folder(".")?.entries()?;
        if next.mark != 0 {
            entries.seek(next.mark).map_err(at(&root.path_of(".")))?;
        }
        let mut looked = 0;
        for _ in 0..ENTRIES {
            let Some(entry) = entries.next().transpose().map_err(at(&root.path_of(".")))? else {
                next.mark = 0;
                break;
            };
            next.mark = entry.offset();
            let Some(name) = entry.file_name().to_str().ok().filter(|name| OrgId::parse(name).is_ok()) else {
                continue;
            };
            if let Err(error) = fits(root, name) {
                next.unfit = Some(name.to_owned());
                return Err(error);
            }
            looked += 1;
            if looked == AT_ONCE {
                break;
            }
        }
        Ok(())
    }
}

/// Whether an upload could put an object into this folder. A plain file is not looked at: it is no organization's.
fn fits(root: &Folder, name: &str) -> io::Result<()> {
    let path = root.path_of(name);
    let all = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let known = |folder: &Folder, name: &str, flags| statx(folder, name, flags, all);
    let found = match known(root, name, AtFlags::SYMLINK_NOFOLLOW) {
        // The last object in it was removed.
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        found => found.map_err(at(&path))?,
    };
    let own = known(root, "", AtFlags::EMPTY_PATH).map_err(at(&path))?;
    let unfit = |why: &str| Err(io::Error::other(format!("{}: {why}", path.display())));
    match u32::from(found.stx_mode) & libc::S_IFMT {
        libc::S_IFDIR => {}
        libc::S_IFLNK => return unfit("it is a link, and links are not followed"),
        _ => return Ok(()),
    }
    let device = |stat: &rustix::fs::Statx| (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_mnt_id);
    if device(&found) != device(&own) {
        return unfit("it is on another file system than the store, so no object can be put there");
    }
    if found.stx_uid != own.stx_uid {
        return unfit(&format!("it belongs to the user {}, and not to the store's", found.stx_uid));
    }
    root.may_change(name)
}
