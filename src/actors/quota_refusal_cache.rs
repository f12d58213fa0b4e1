//! The quota refusal cache: remembers for a second which uploads the database has refused for the organization's quota. So a
//! system that tries again and again costs the other systems only one transaction a second.
//!
//! A refusal is repeated to the same system for the same size and for larger ones, up to the size from which retention would
//! free more space. Without a change the database would decide the same. This process knows of two kinds of changes:
//! * A deletion or an abort frees space, so every refusal is forgotten. The exception is the abort of the refused upload itself
//!   (one that was refused when it grew): the refusal did not depend on its bytes, and stays.
//! * A commit changes what retention would choose for its system, so that system's refusal is forgotten. A commit may also free
//!   space for other systems. They notice it within the second: a busy organization commits all the time, and if every commit
//!   cleared the cache, the cache would be useless.
//!
//! Changes by other processes are noticed within the second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::{Admission, Operation, OperationOutcome};

const CACHED_FOR: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct QuotaRefusalCache(HashMap<Uuid, QuotaRefusal>);

/// The last refusal of a system.
struct QuotaRefusal {
    /// The refused upload.
    upload: Uuid,
    /// The smallest size to which the refusal applies: the bytes that the upload needed.
    from_bytes: u64,
    /// The refusal does not apply to this size and larger ones.
    below_bytes: u64,
    blocked_by_reservations: bool,
    until: Instant,
}

impl QuotaRefusalCache {
    /// Returns the outcome that an operation would have, if it is known.
    pub fn get(&self, operation: &Operation, now: Instant) -> Option<OperationOutcome> {
        let op = admission_of(operation)?;
        let refused = self.0.get(&op.system_id)?;
        let applies =
            (refused.from_bytes..refused.below_bytes).contains(&op.wanted_bytes) && now < refused.until;
        applies.then_some(OperationOutcome::QuotaExceeded {
            refused_below_bytes: refused.below_bytes,
            blocked_by_reservations: refused.blocked_by_reservations,
        })
    }

    /// Updates the cache with the outcome of an operation.
    pub fn observe(&mut self, operation: &Operation, outcome: &OperationOutcome, now: Instant) {
        match (operation, outcome) {
            (
                Operation::Admit(_) | Operation::Store(_),
                &OperationOutcome::QuotaExceeded { refused_below_bytes, blocked_by_reservations },
            ) => {
                let refused = (refused_below_bytes, blocked_by_reservations);
                if let Some(op) = admission_of(operation) {
                    self.insert(op.system_id, op.backup.uuid(), op.wanted_bytes, refused, now);
                }
            }
            (
                Operation::Grow(op),
                &OperationOutcome::QuotaExceeded { refused_below_bytes, blocked_by_reservations },
            ) => {
                let refused = (refused_below_bytes, blocked_by_reservations);
                self.insert(op.system_id, op.backup.uuid(), op.wanted_bytes, refused, now);
            }
            (Operation::Delete(_), _) => self.0.clear(),
            (Operation::Abort(op), _) => self.0.retain(|_, refused| refused.upload == op.backup),
            (Operation::Commit(op), _) => drop(self.0.remove(&op.system_id)),
            (Operation::Store(op), _) => drop(self.0.remove(&op.admission.system_id)),
            (Operation::Admit(_) | Operation::Grow(_), _) => {}
        }
    }

    fn insert(
        &mut self,
        system: Uuid,
        upload: Uuid,
        from_bytes: u64,
        (below_bytes, blocked_by_reservations): (u64, bool),
        now: Instant,
    ) {
        self.0.retain(|_, refused| now < refused.until);
        let until = now + CACHED_FOR;
        self.0
            .insert(system, QuotaRefusal { upload, from_bytes, below_bytes, blocked_by_reservations, until });
    }
}

/// Returns what the operation admits, if it does.
fn admission_of(operation: &Operation) -> Option<&Admission> {
    match operation {
        Operation::Admit(op) => Some(op),
        Operation::Store(op) => Some(&op.admission),
        Operation::Grow(_) | Operation::Commit(_) | Operation::Abort(_) | Operation::Delete(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::accounting::{Abort, Commit, Delete, DeletedBy, Growth};
    use crate::domain::filename::Filename;
    use crate::domain::ids::{BackupId, Extension, OrgId, SystemKey};
    use crate::domain::media_type::MediaType;
    use crate::domain::object_key::ObjectKey;

    const SYSTEM: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn admit(system_id: Uuid, wanted_bytes: u64) -> Operation {
        let backup = BackupId::new(Uuid::now_v7(), Extension::Bin);
        let key = ObjectKey::new(&OrgId::parse("o").unwrap(), &SystemKey::parse("s").unwrap(), backup);
        Operation::Admit(Box::new(Admission {
            system_id,
            backup,
            object_key: key,
            filename: Filename::default_for(backup.uuid(), Extension::Bin),
            mimetype: MediaType::of_header(None),
            remote_addr: None,
            wanted_bytes,
        }))
    }

    #[test]
    fn a_refusal_is_repeated_for_its_sizes_for_a_second() {
        let (mut cache, start) = (QuotaRefusalCache::default(), Instant::now());
        cache.observe(
            &admit(SYSTEM, 100),
            &OperationOutcome::QuotaExceeded { refused_below_bytes: 500, blocked_by_reservations: false },
            start,
        );
        let soon = start + Duration::from_millis(999);
        for (system, wanted_bytes, now, known) in [
            (SYSTEM, 99, soon, false),
            (SYSTEM, 100, soon, true),
            (SYSTEM, 499, soon, true),
            (SYSTEM, 500, soon, false),
            (OTHER, 100, soon, false),
            (SYSTEM, 100, start + CACHED_FOR, false),
        ] {
            let answer = cache.get(&admit(system, wanted_bytes), now);
            assert_eq!(answer.is_some(), known, "{wanted_bytes}");
        }
        cache.observe(
            &admit(SYSTEM, 10),
            &OperationOutcome::Admitted { at: chrono::DateTime::UNIX_EPOCH },
            soon,
        );
        assert!(cache.get(&admit(SYSTEM, 100), soon).is_some());
    }

    #[test]
    fn what_frees_space_in_this_process_ends_a_refusal() {
        let now = Instant::now();
        let backup = BackupId::new(Uuid::now_v7(), Extension::Bin);
        let growth = Operation::Grow(Growth { system_id: SYSTEM, backup, wanted_bytes: 100 });
        let delete = |system_id| {
            let (by, attempted_before) = (DeletedBy::System, false);
            Operation::Delete(Delete { system_id, backup, by, remote_addr: None, attempted_before })
        };
        let abort = |backup| {
            let (system_id, failure, refused) = (OTHER, None, None);
            Operation::Abort(Abort { system_id, backup, release_rate_slot: false, failure, refused })
        };
        let commit = |system_id| {
            Operation::Commit(Commit { system_id, backup, size: 1, sha256: [0; 32], encrypted: false })
        };
        for (operation, forgotten) in [
            (delete(SYSTEM), true),
            (delete(OTHER), true),
            (commit(SYSTEM), true),
            (commit(OTHER), false),
            (abort(Uuid::from_u128(8)), true),
            (abort(backup.uuid()), false),
        ] {
            let mut cache = QuotaRefusalCache::default();
            cache.observe(
                &growth,
                &OperationOutcome::QuotaExceeded {
                    refused_below_bytes: u64::MAX,
                    blocked_by_reservations: false,
                },
                now,
            );
            cache.observe(&operation, &OperationOutcome::NotFound, now);
            assert_eq!(cache.get(&admit(SYSTEM, 100), now).is_none(), forgotten, "{operation:?}");
        }
    }
}
