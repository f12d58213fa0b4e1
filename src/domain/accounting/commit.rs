//! The upload is complete and its object durable: it becomes visible, old backups are pruned, and the quota is kept.

use uuid::Uuid;

use super::{StorageLimits, StoredBackup, SystemUsage};
use crate::domain::retention::{PruneReason, prune};

/// The quota was lowered while the upload ran, and with it the stored bytes would be more than the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLowered;

/// Commits `upload` with `size` bytes, at most what it was granted. What retention takes out is in
/// the answer's `pruned`.
pub fn commit(
    before: &SystemUsage,
    limits: StorageLimits,
    upload: Uuid,
    size: u64,
) -> Result<SystemUsage, QuotaLowered> {
    let mut after = before.clone();
    let victims = retention(&after, limits, size);
    let handed_over = hand_over_pledges(&mut after, &victims, upload);
    let spare = spare_pledges(&after, &victims, &handed_over, upload);

    for (id, reason) in victims {
        retire(&mut after, id, reason);
    }
    after.close(upload);
    after.stored_bytes += size;

    // What was pledged at admission may not be what retention takes now: something else may have been deleted meanwhile,
    // and its bytes given to others. Then pledged backups are retired as well, until the sum is no more than the quota or
    // its value before. When all are retired it is, so this ends within bounds.
    let ceiling = limits.quota.map(|quota| quota.max(before.total()));
    for id in spare.into_iter().chain(handed_over) {
        if ceiling.is_none_or(|ceiling| after.total() <= ceiling) {
            break;
        }
        retire(&mut after, id, PruneReason::Size);
    }
    if limits.quota.is_some_and(|quota| after.stored_bytes > quota.max(before.stored_bytes)) {
        return Err(QuotaLowered);
    }
    after.backups.push(StoredBackup { id: upload, size, pledged_to: None });
    Ok(after)
}

/// What retention takes when the new backup stands at the end of the stored ones.
fn retention(ledger: &SystemUsage, limits: StorageLimits, size: u64) -> Vec<(Uuid, PruneReason)> {
    let sizes: Vec<u64> = ledger.backups.iter().map(|b| b.size).chain([size]).collect();
    let reasons = prune(&sizes, limits.retention);
    ledger.backups.iter().map(|b| b.id).zip(reasons).collect()
}

/// If a victim is pledged to another upload, that upload gets in its place the oldest backup that is pledged to this one
/// and is no victim. Gives the backups that were handed over, oldest first.
fn hand_over_pledges(ledger: &mut SystemUsage, victims: &[(Uuid, PruneReason)], upload: Uuid) -> Vec<Uuid> {
    let is_victim = |id: Uuid| victims.iter().any(|(victim, _)| *victim == id);
    let losers: Vec<Uuid> = ledger
        .backups
        .iter()
        .filter(|b| is_victim(b.id))
        .filter_map(|b| b.pledged_to.filter(|to| *to != upload))
        .collect();
    let mut handed_over = Vec::new();
    for loser in losers {
        let spare = ledger.backups.iter_mut().find(|b| b.pledged_to == Some(upload) && !is_victim(b.id));
        if let Some(backup) = spare {
            backup.pledged_to = Some(loser);
            handed_over.push(backup.id);
        }
    }
    handed_over
}

/// The backups that are still pledged to this upload, and are no victims, oldest first.
fn spare_pledges(
    ledger: &SystemUsage,
    victims: &[(Uuid, PruneReason)],
    handed_over: &[Uuid],
    upload: Uuid,
) -> Vec<Uuid> {
    let stays = |id: &Uuid| !handed_over.contains(id) && !victims.iter().any(|(victim, _)| victim == id);
    let pledged = ledger.backups.iter().filter(|b| b.pledged_to == Some(upload));
    pledged.map(|b| b.id).filter(stays).collect()
}

fn retire(ledger: &mut SystemUsage, id: Uuid, reason: PruneReason) {
    if let Some(backup) = ledger.take_out(id) {
        ledger.pruned.push((backup, reason));
    }
}
