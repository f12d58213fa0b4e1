//! The books as pure functions over one system's rows and its organization's totals.
//!
//! Each operation takes a [`SystemUsage`], read under the lock of the organization's row, and gives
//! the ledger as it has to be afterwards; `db::accounting` writes the rows that differ in the same
//! transaction.
//!
//! What always holds (`strongroom audit` checks it):
//! * an open upload's `reserved` is max(0, `want` - the bytes of the backups pledged to it);
//! * `stored_bytes` is the sum of the organization's stored sizes, `reserved_bytes` the sum of
//!   its open uploads' `reserved`;
//! * no operation leaves `stored_bytes + reserved_bytes` above max(quota, its value before).
//!   Where it goes up at all it was checked against the quota ([`admit`], [`grow`]) or capped by
//!   retiring what was pledged ([`commit()`]).

mod admission;
mod commit;
#[cfg(test)]
mod tests;

pub use admission::{QuotaExceeded, admit, grow};
pub use commit::{QuotaLowered, commit};
use uuid::Uuid;

use super::retention::{PruneReason, Retention};

/// What bounds a system and its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageLimits {
    /// What the system may keep.
    pub retention: Retention,
    /// What the organization may hold, in bytes; `None`: unlimited.
    pub quota: Option<u64>,
}

/// A stored backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBackup {
    pub id: Uuid,
    /// Bytes.
    pub size: u64,
    /// The open upload of the same system for which these bytes count as free; for all others they do not.
    pub pledged_to: Option<Uuid>,
}

/// An upload under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenUpload {
    pub id: Uuid,
    /// Its declared length in bytes; or, if there is none, what it has been granted so far.
    pub want: u64,
    /// Bytes held from the organization's quota.
    pub reserved: u64,
}

/// One system's rows and its organization's totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemUsage {
    /// Of the whole organization, in bytes.
    pub stored_bytes: u64,
    /// Of the whole organization, in bytes.
    pub reserved_bytes: u64,
    /// The system's stored backups, oldest first.
    pub backups: Vec<StoredBackup>,
    /// The system's open uploads, oldest first.
    pub uploads: Vec<OpenUpload>,
    /// What an operation took out of `backups`, and why.
    pub pruned: Vec<(StoredBackup, PruneReason)>,
}

impl SystemUsage {
    /// Bytes pledged to `upload`.
    fn pledged(&self, upload: Uuid) -> u64 {
        self.backups.iter().filter(|b| b.pledged_to == Some(upload)).map(|b| b.size).sum()
    }

    /// Makes every open upload's `reserved` true again after pledges or wants have changed.
    fn rereserve(&mut self) {
        for index in 0..self.uploads.len() {
            let upload = self.uploads[index];
            let reserved = upload.want.saturating_sub(self.pledged(upload.id));
            self.reserved_bytes = self.reserved_bytes - upload.reserved + reserved;
            self.uploads[index].reserved = reserved;
        }
    }

    /// Takes an upload out, whatever becomes of it. What was pledged to it is pledged to nobody any more.
    fn close(&mut self, upload: Uuid) {
        self.uploads.retain(|u| {
            if u.id == upload {
                self.reserved_bytes -= u.reserved;
            }
            u.id != upload
        });
        for backup in &mut self.backups {
            if backup.pledged_to == Some(upload) {
                backup.pledged_to = None;
            }
        }
    }

    /// Takes a stored backup out. If it was pledged to an upload, that upload has to reserve its bytes instead, by which
    /// the sum of stored and reserved bytes does not grow.
    fn take_out(&mut self, id: Uuid) -> Option<StoredBackup> {
        let index = self.backups.iter().position(|b| b.id == id)?;
        let backup = self.backups.remove(index);
        self.stored_bytes -= backup.size;
        self.rereserve();
        Some(backup)
    }

    fn total(&self) -> u64 {
        self.stored_bytes.saturating_add(self.reserved_bytes)
    }
}

/// Takes an upload out of the books that has failed or was given up.
pub fn abort(before: &SystemUsage, upload: Uuid) -> SystemUsage {
    let mut after = before.clone();
    after.close(upload);
    after
}

/// Takes a stored backup out of the books. `None` if it is not among the stored ones.
pub fn delete(before: &SystemUsage, backup: Uuid) -> Option<SystemUsage> {
    let mut after = before.clone();
    after.take_out(backup)?;
    Some(after)
}
