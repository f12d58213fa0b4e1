//! May these bytes come in? Asked before the first byte, and again for each further step of a body
//! whose length was not declared.

use uuid::Uuid;

use super::{Ledger, Limits, OpenUpload};
use crate::domain::retention::prune;

/// The organization has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// A larger one has no room either, if it is smaller than this: from here on retention would free one
    /// more backup for it.
    pub below: u64,
    /// There would be room if it were not for what other uploads under way have reserved.
    pub crowded: bool,
}

/// Lets a new upload of `want` bytes in, or not.
pub fn admit(before: &Ledger, limits: Limits, upload: Uuid, want: u64) -> Result<Ledger, QuotaExceeded> {
    let mut after = before.clone();
    after.uploads.push(OpenUpload { id: upload, want: 0, reserved: 0 });
    raise(after, limits, upload, want)
}

/// Raises what an open upload may bring to `want` bytes in all. Never lowers it.
pub fn grow(before: &Ledger, limits: Limits, upload: Uuid, want: u64) -> Result<Ledger, QuotaExceeded> {
    raise(before.clone(), limits, upload, want)
}

/// Pledges to the upload what retention would free for it, and reserves the rest.
///
/// So a system at its slot cap can always replace its oldest with one that is no larger, even when
/// the organization is full; a larger one needs only the difference.
fn raise(mut after: Ledger, limits: Limits, upload: Uuid, want: u64) -> Result<Ledger, QuotaExceeded> {
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
    // Nothing more is held than before, or all of it fits.
    let quota = limits.quota.unwrap_or(u64::MAX);
    if after.total() <= quota || after.total() <= before {
        return Ok(after);
    }
    let own = after.uploads.iter().find(|u| u.id == upload).map_or(0, |u| u.reserved);
    Err(QuotaExceeded { below, crowded: after.stored_bytes.saturating_add(own) <= quota })
}

/// Retention over the stored backups that are not pledged to others, then the open uploads as if
/// they were stored, then this one. Gives what it would take, and from which size of this one on it would
/// take one more.
fn would_be_pruned(ledger: &Ledger, limits: Limits, upload: Uuid) -> (Vec<Uuid>, u64) {
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
