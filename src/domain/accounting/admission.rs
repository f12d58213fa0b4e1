//! Decides whether an upload may reserve the bytes that it needs: before its first byte and, if its body has no declared
//! length, before each further step.

use std::collections::HashSet;

use uuid::Uuid;

use super::{OpenUpload, StorageLimits, SystemUsage};
use crate::domain::retention::{Candidate, Retention, prune};

/// The most uploads of one system that may be open at the same time.
pub const MAX_OPEN_UPLOADS: usize = 4;

/// The organization's quota has no space for the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// A larger upload of the system is refused, too, if it has fewer bytes than this. From this size on retention would
    /// free more space.
    pub refused_below_bytes: u64,
    /// Whether there would be enough space without the reservations of other open uploads.
    pub blocked_by_reservations: bool,
}

/// Admits a new upload that needs `wanted_bytes`, or refuses it.
pub fn admit(
    before: &SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    wanted_bytes: u64,
) -> Result<SystemUsage, QuotaExceeded> {
    let mut after = before.clone();
    after.uploads.push(OpenUpload { id: upload, wanted_bytes: 0, reserved: 0 });
    raise(after, limits, upload, wanted_bytes)
}

/// Grants an open upload `wanted_bytes` in total. Never lowers what it was granted before.
pub fn grow(
    before: &SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    wanted_bytes: u64,
) -> Result<SystemUsage, QuotaExceeded> {
    raise(before.clone(), limits, upload, wanted_bytes)
}

/// Pledges to the upload the backups that retention would prune for it, and reserves the other bytes that it needs.
///
/// So a system whose slots are all used can always replace a backup that retention chooses with one that is no larger, even
/// when the organization's quota is used up. For a larger one only the difference has to be free.
fn raise(
    mut after: SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    wanted_bytes: u64,
) -> Result<SystemUsage, QuotaExceeded> {
    let before = after.total();
    if let Some(open) = after.uploads.iter_mut().find(|u| u.id == upload) {
        open.wanted_bytes = open.wanted_bytes.max(wanted_bytes);
    }
    let prunable = Prunable::new(&after, limits.retention, upload);
    let victims = prunable.victims();
    pledge(&mut after, upload, &victims);
    let quota = limits.quota.unwrap_or(u64::MAX);
    if after.total() <= quota || after.total() <= before {
        return Ok(after);
    }
    let own = after.uploads.iter().find(|u| u.id == upload).map_or(0, |u| u.reserved);
    let blocked_by_reservations = after.stored_bytes.saturating_add(own) <= quota;
    Err(QuotaExceeded { refused_below_bytes: prunable.more_victims_from(), blocked_by_reservations })
}

/// Pledges backups to the upload. None of them may be pledged to another upload.
pub(super) fn pledge(usage: &mut SystemUsage, upload: Uuid, victims: &[Uuid]) {
    for backup in &mut usage.backups {
        if victims.contains(&backup.id) {
            backup.pledged_to = Some(upload);
        }
    }
    usage.rereserve();
}

/// The candidates for retention if all open uploads of the system were stored, and this upload last. Backups that are pledged
/// to other uploads are not among them: their bytes count as free for those uploads only.
struct Prunable {
    /// Stored backups, then other open uploads, then this upload.
    candidates: Vec<Candidate>,
    /// The candidates that are stored backups.
    stored: HashSet<Uuid>,
    keep: Retention,
}

impl Prunable {
    fn new(usage: &SystemUsage, keep: Retention, upload: Uuid) -> Self {
        let free = usage.backups.iter().filter(|b| b.pledged_to.is_none_or(|to| to == upload));
        let mut candidates: Vec<_> = free.map(|b| Candidate { id: b.id, size: b.size }).collect();
        let stored = candidates.iter().map(|candidate| candidate.id).collect();
        let (this, others): (Vec<&OpenUpload>, Vec<_>) = usage.uploads.iter().partition(|u| u.id == upload);
        candidates
            .extend(others.into_iter().chain(this).map(|u| Candidate { id: u.id, size: u.wanted_bytes }));
        Self { candidates, stored, keep }
    }

    /// Returns the stored backups that retention would prune.
    fn victims(&self) -> Vec<Uuid> {
        self.stored_victims(&self.candidates)
    }

    /// Returns the stored backups that retention would prune from these candidates: the same ones as in `self`, except that
    /// the size of this upload may differ.
    fn stored_victims(&self, candidates: &[Candidate]) -> Vec<Uuid> {
        prune(candidates, self.keep)
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| self.stored.contains(id))
            .collect()
    }

    /// Returns the size of this upload from which on retention would prune more stored backups than now; `u64::MAX` if there
    /// is no such size. This is a binary search. It relies on one property of retention: a larger size never makes it choose
    /// fewer backups.
    fn more_victims_from(&self) -> u64 {
        let mut candidates = self.candidates.clone();
        let now = self.victims().len();
        let Some(size) = candidates.last().map(|this| this.size) else { return u64::MAX };
        let mut more_at = |size: u64| {
            if let Some(this) = candidates.last_mut() {
                this.size = size;
            }
            self.stored_victims(&candidates).len() > now
        };
        // At the size `same` no more backups are pruned than now, at the size `more` more are.
        let (mut same, mut more) = (size, u64::MAX);
        if !more_at(more) {
            return u64::MAX;
        }
        while more - same > 1 {
            let middle = same + (more - same) / 2;
            if more_at(middle) {
                more = middle;
            } else {
                same = middle;
            }
        }
        more
    }
}
