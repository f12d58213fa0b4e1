//! Whether an upload may bring so many bytes. Asked before its first byte, and, for a body whose length was not declared,
//! before each further step.

use uuid::Uuid;

use super::{OpenUpload, StorageLimits, SystemUsage};
use crate::domain::retention::prune;

/// The organization has no room for the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// Larger uploads of the system have no room either, up to this size in bytes: from here on retention would free
    /// one more backup for them.
    pub below: u64,
    /// Whether there would be room without what other uploads under way have reserved.
    pub contended: bool,
}

/// Admits a new upload of `want` bytes, or refuses it.
pub fn admit(
    before: &SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    want: u64,
) -> Result<SystemUsage, QuotaExceeded> {
    let mut after = before.clone();
    after.uploads.push(OpenUpload { id: upload, want: 0, reserved: 0 });
    raise(after, limits, upload, want)
}

/// Grants an open upload `want` bytes in all. Never lowers what it has been granted.
pub fn grow(
    before: &SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    want: u64,
) -> Result<SystemUsage, QuotaExceeded> {
    raise(before.clone(), limits, upload, want)
}

/// Pledges to the upload what retention would free for it, and reserves the rest.
///
/// So a system that has all its slots filled can always replace its oldest backup with one that is no larger, even when
/// the organization is full. For a larger one only the difference has to be free.
fn raise(
    mut after: SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    want: u64,
) -> Result<SystemUsage, QuotaExceeded> {
    let before = after.total();
    if let Some(open) = after.uploads.iter_mut().find(|u| u.id == upload) {
        open.want = open.want.max(want);
    }
    let (victims, below) = would_be_pruned(&after, limits, upload);
    for id in victims {
        if let Some(backup) = after.backups.iter_mut().find(|b| b.id == id) {
            backup.pledged_to = Some(upload);
        }
    }
    after.rereserve();
    // Fits, or holds no more than before.
    let quota = limits.quota.unwrap_or(u64::MAX);
    if after.total() <= quota || after.total() <= before {
        return Ok(after);
    }
    let own = after.uploads.iter().find(|u| u.id == upload).map_or(0, |u| u.reserved);
    Err(QuotaExceeded { below, contended: after.stored_bytes.saturating_add(own) <= quota })
}

/// What retention would take if the system had, in this order: its stored backups that are not pledged to other uploads,
/// those other uploads, and this one. Also gives the size of this upload from which on retention would take one more.
fn would_be_pruned(ledger: &SystemUsage, limits: StorageLimits, upload: Uuid) -> (Vec<Uuid>, u64) {
    let free: Vec<_> = ledger.backups.iter().filter(|b| b.pledged_to.is_none_or(|to| to == upload)).collect();
    let (this, others): (Vec<&OpenUpload>, Vec<_>) = ledger.uploads.iter().partition(|u| u.id == upload);
    let older: Vec<u64> = free.iter().map(|b| b.size).chain(others.iter().map(|u| u.want)).collect();
    let sizes: Vec<u64> = older.iter().copied().chain(this.iter().map(|u| u.want)).collect();
    let victims = prune(&sizes, limits.retention).len();
    let kept = older.iter().skip(victims).fold(0u64, |sum, &size| sum.saturating_add(size));
    let more_from = limits.retention.bytes.saturating_sub(kept).saturating_add(1);
    let more_from = if victims < free.len() { more_from } else { u64::MAX };
    (free.iter().take(victims).map(|b| b.id).collect(), more_from)
}
