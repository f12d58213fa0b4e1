//! Accounting as pure functions over one system's rows and its organization's totals.
//!
//! Each operation takes a [`SystemUsage`], read under the lock of the organization's row, and returns the usage afterwards.
//! `db::accounting` writes the rows that differ in the same transaction.
//!
//! Invariants (`strongroom audit` checks the first two):
//! * an open upload's `reserved` is max(0, `wanted_bytes` - p), p being the bytes of the backups pledged to it;
//! * `stored_bytes` is the sum of the organization's stored sizes, `reserved_bytes` the sum of its open uploads' `reserved`;
//! * no operation leaves `stored_bytes + reserved_bytes` above max(quota, its value before). Only [`admit`] and [`grow`] can
//!   raise the sum, and they compare it with the quota. [`commit()`] retires pledged backups until the sum is low enough;
//!   `commit.rs` proves that this works for any choice that retention makes.

mod admission;
mod commit;
#[cfg(test)]
mod tests;

pub use admission::{MAX_OPEN_UPLOADS, QuotaExceeded, admit, grow};
pub use commit::{QuotaLowered, commit};
use uuid::Uuid;

use super::retention::{PruneReason, Retention};

/// The limits of a system and its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageLimits {
    /// How many backups and bytes the system may keep.
    pub retention: Retention,
    /// The organization's quota in bytes; `None`: unlimited.
    pub quota: Option<u64>,
}

/// A stored backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBackup {
    pub id: Uuid,
    /// Bytes.
    pub size: u64,
    /// The open upload of the same system that these bytes are pledged to. They count as free for this upload only.
    pub pledged_to: Option<Uuid>,
}

/// An upload that is neither committed nor aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenUpload {
    pub id: Uuid,
    /// The upload's declared length in bytes; without one, the bytes that it has been granted so far.
    pub wanted_bytes: u64,
    /// The bytes that the upload has reserved of the organization's quota.
    pub reserved: u64,
}

/// One system's stored backups and open uploads, and its organization's totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemUsage {
    /// The stored bytes of the whole organization.
    pub stored_bytes: u64,
    /// The reserved bytes of the whole organization.
    pub reserved_bytes: u64,
    /// The system's stored backups, oldest first.
    pub backups: Vec<StoredBackup>,
    /// The system's open uploads, oldest first.
    pub uploads: Vec<OpenUpload>,
    /// The backups that a commit has removed from `backups`, each with its reason.
    pub pruned: Vec<(StoredBackup, PruneReason)>,
}

impl SystemUsage {
    /// Returns the bytes of the backups pledged to `upload`.
    fn pledged(&self, upload: Uuid) -> u64 {
        self.backups.iter().filter(|b| b.pledged_to == Some(upload)).map(|b| b.size).sum()
    }

    /// Computes every open upload's `reserved` again, after pledges or `wanted_bytes` have changed.
    fn rereserve(&mut self) {
        for index in 0..self.uploads.len() {
            let upload = self.uploads[index];
            let reserved = upload.wanted_bytes.saturating_sub(self.pledged(upload.id));
            self.reserved_bytes = self.reserved_bytes - upload.reserved + reserved;
            self.uploads[index].reserved = reserved;
        }
    }

    /// Removes an upload, committed or not, and clears the pledges to it.
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

    /// Removes a stored backup. If it was pledged to an upload, that upload reserves the bytes instead. This does not raise
    /// the sum of stored and reserved bytes.
    fn remove_backup(&mut self, id: Uuid) -> Option<StoredBackup> {
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

/// Removes an open upload without making it a backup.
pub fn abort(before: &SystemUsage, upload: Uuid) -> SystemUsage {
    let mut after = before.clone();
    after.close(upload);
    after
}

/// Removes a stored backup. `None` if there is no such stored backup.
pub fn delete(before: &SystemUsage, backup: Uuid) -> Option<SystemUsage> {
    let mut after = before.clone();
    after.remove_backup(backup)?;
    Some(after)
}
