//! The names and ids of organizations, systems and backups.

mod backup_id;
mod extension;
mod name;
mod sequence;

pub use backup_id::{BackupId, BackupReference, InvalidBackupId};
pub use extension::Extension;
pub(in crate::domain) use extension::suffix_len as extension_suffix_len;
pub use name::{InvalidName, OrgId, SystemKey};
pub use sequence::next_after;
