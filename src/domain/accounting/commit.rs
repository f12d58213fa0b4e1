//! Commits an upload, prunes backups, and keeps the quota. The upload is complete, and its object is durable.
//!
//! # Why the quota holds for any choice of victims
//!
//! Retention returns a choice, not "the n oldest", so nothing here depends on which backups it chooses, or on their order.
//! For the commit of an upload u with a bytes, let V be the victims, P(u) the backups pledged to u with p(u) bytes in all,
//! want(u) its `wanted_bytes`, h(u) = max(0, want(u) - p(u)) its reservation, S and R the organization's stored and reserved
//! bytes before.
//!
//! * Retiring a backup that is pledged to another upload w takes its size from S and adds at most as much to h(w), and so
//!   to R. Retiring any other backup takes its size from S and adds nothing. No choice of victims makes S + R grow.
//! * Handing a pledge of u over to w ([`hand_over_pledges`]) lowers h(w). Retiring that backup after all raises h(w) again
//!   to at most what it would be without the hand-over.
//! * So once V and all of P(u) are retired, S has lost at least p(u). The victims that were pledged to others have taken at
//!   least as much from S as they have added to R. R has lost h(u), and S has gained a. The sum has grown by at most
//!   a - p(u) - h(u), which is not more than a - want(u), and that is not positive.
//!
//! Hence the loop in [`commit_choice`] reaches max(quota, S + R before) at the latest when all of P(u) are retired, whatever
//! retention has chosen at admission and at commit. It retires only backups that were pledged to u, so a backup that must not
//! be pruned must not be pledged.

use uuid::Uuid;

use super::{StorageLimits, StoredBackup, SystemUsage};
use crate::domain::retention::{Candidate, PruneReason, prune};

/// The quota was lowered while the upload was under way, and the upload does not fit any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLowered;

/// Commits `upload` with `size` bytes, which are at most its `wanted_bytes`. `pruned` of the result has the retired backups.
pub fn commit(
    before: &SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    size: u64,
) -> Result<SystemUsage, QuotaLowered> {
    let stored = before.backups.iter().map(|b| Candidate { id: b.id, size: b.size });
    let candidates: Vec<_> = stored.chain([Candidate { id: upload, size }]).collect();
    commit_choice(before, limits.quota, (upload, size), &prune(&candidates, limits.retention))
}

/// Commits an upload with `size` bytes, and retires `victims`.
pub(super) fn commit_choice(
    before: &SystemUsage,
    quota: Option<u64>,
    (upload, size): (Uuid, u64),
    victims: &[(Uuid, PruneReason)],
) -> Result<SystemUsage, QuotaLowered> {
    let mut after = before.clone();
    let handed_over = hand_over_pledges(&mut after, victims, upload);
    let spare = spare_pledges(&after, victims, upload);

    for (id, reason) in victims {
        retire(&mut after, *id, *reason);
    }
    after.close(upload);
    after.stored_bytes += size;

    // Retention may choose other backups now than those that were pledged at admission: a backup may have been deleted
    // meanwhile, and its bytes reserved by others. Then pledged backups are retired as well, until the sum is within the
    // quota or at its value before.
    let ceiling = quota.map(|quota| quota.max(before.total()));
    for id in spare.into_iter().chain(handed_over) {
        if ceiling.is_none_or(|ceiling| after.total() <= ceiling) {
            break;
        }
        retire(&mut after, id, PruneReason::Size);
    }
    if quota.is_some_and(|quota| after.stored_bytes > quota.max(before.stored_bytes)) {
        return Err(QuotaLowered);
    }
    after.backups.push(StoredBackup { id: upload, size, pledged_to: None });
    Ok(after)
}

/// For each victim that is pledged to another upload, pledges to that upload instead the oldest backup that is pledged to this
/// upload and is no victim. Returns the backups that were handed over, oldest first.
fn hand_over_pledges(usage: &mut SystemUsage, victims: &[(Uuid, PruneReason)], upload: Uuid) -> Vec<Uuid> {
    let losers: Vec<Uuid> = usage
        .backups
        .iter()
        .filter(|b| is_victim(victims, b.id))
        .filter_map(|b| b.pledged_to.filter(|to| *to != upload))
        .collect();
    let mut handed_over = Vec::new();
    for loser in losers {
        let pledged = |b: &&mut StoredBackup| b.pledged_to == Some(upload) && !is_victim(victims, b.id);
        if let Some(backup) = usage.backups.iter_mut().find(pledged) {
            backup.pledged_to = Some(loser);
            handed_over.push(backup.id);
        }
    }
    handed_over
}

/// Returns the backups that are still pledged to this upload and are no victims, oldest first.
fn spare_pledges(usage: &SystemUsage, victims: &[(Uuid, PruneReason)], upload: Uuid) -> Vec<Uuid> {
    let pledged = usage.backups.iter().filter(|b| b.pledged_to == Some(upload));
    pledged.map(|b| b.id).filter(|id| !is_victim(victims, *id)).collect()
}

fn is_victim(victims: &[(Uuid, PruneReason)], id: Uuid) -> bool {
    victims.iter().any(|(victim, _)| *victim == id)
}

fn retire(usage: &mut SystemUsage, id: Uuid, reason: PruneReason) {
    if let Some(backup) = usage.remove_backup(id) {
        usage.pruned.push((backup, reason));
    }
}
