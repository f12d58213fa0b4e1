//! Which uploads the database has just refused for the organization's quota: a system that tries again and again costs its
//! siblings one transaction a second.
//!
//! For a second, what the database has answered is repeated to the same system for the same size and for larger ones, up to
//! the size for which retention would free more. Until something changes, the database would answer the same. This process
//! knows of these changes:
//! * a deletion, or an upload that is rolled back, frees space: everything is forgotten. An upload that was itself refused (when
//!   it grew) had no part in the answer, and its end changes nothing;
//! * a commit changes what retention would choose from its system: that system's refusal is forgotten. It may free space for
//!   siblings as well, which they see within the second. A busy organization commits all the time, and if every commit
//!   admitted the refused system to the database again the cache would be useless.
//!
//! What other processes change is seen within the second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::{Operation, OperationOutcome};

const CACHED_FOR: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct QuotaRefusalCache(HashMap<Uuid, QuotaRefusal>);

/// The last refusal of a system.
struct QuotaRefusal {
    /// The refused upload.
    upload: Uuid,
    /// The bytes that it wanted.
    from: u64,
    /// The refusal does not hold for this size and larger ones.
    below: u64,
    contended: bool,
    until: Instant,
}

impl QuotaRefusalCache {
    /// Returns the outcome of an operation that has not been run, if it is known.
    pub fn get(&self, operation: &Operation, now: Instant) -> Option<OperationOutcome> {
        let Operation::Admit(op) = operation else { return None };
        let refused = self.0.get(&op.system_id)?;
        let same = (refused.from..refused.below).contains(&op.want) && now < refused.until;
        same.then_some(OperationOutcome::QuotaExceeded { below: refused.below, contended: refused.contended })
    }

    /// Updates the cache with the outcome of an operation.
    pub fn observe(&mut self, operation: &Operation, outcome: &OperationOutcome, now: Instant) {
        match (operation, outcome) {
            (Operation::Admit(op), OperationOutcome::QuotaExceeded { below, contended }) => {
                self.insert(op.system_id, op.backup.uuid(), op.want, (*below, *contended), now);
            }
            (Operation::Grow(op), OperationOutcome::QuotaExceeded { below, contended }) => {
                self.insert(op.system_id, op.backup.uuid(), op.want, (*below, *contended), now);
            }
            (Operation::Delete(_), _) => self.0.clear(),
            (Operation::Abort(op), _) => self.0.retain(|_, refused| refused.upload == op.backup),
            (Operation::Commit(op), _) => drop(self.0.remove(&op.system_id)),
            (Operation::Admit(_) | Operation::Grow(_), _) => {}
        }
    }

    fn insert(
        &mut self,
        system: Uuid,
        upload: Uuid,
        from: u64,
        (below, contended): (u64, bool),
        now: Instant,
    ) {
        self.0.retain(|_, refused| now < refused.until);
        self.0.insert(system, QuotaRefusal { upload, from, below, contended, until: now + CACHED_FOR });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::accounting::{Abort, Admission, Commit, Delete, DeletedBy, Growth};
    use crate::domain::filename::Filename;
    use crate::domain::ids::{BackupId, Extension, OrgId, SystemKey};
    use crate::domain::media_type::MediaType;
    use crate::domain::object_key::ObjectKey;

    const SYSTEM: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn admit(system_id: Uuid, want: u64) -> Operation {
        let backup = BackupId::new(Uuid::now_v7(), Extension::Bin);
        let key = ObjectKey::new(&OrgId::parse("o").unwrap(), &SystemKey::parse("s").unwrap(), backup);
        Operation::Admit(Box::new(Admission {
            system_id,
            backup,
            object_key: key,
            filename: Filename::default_for(backup.uuid(), Extension::Bin),
            mimetype: MediaType::of_header(None),
            remote_addr: None,
            want,
        }))
    }

    #[test]
    fn a_refusal_is_repeated_for_its_sizes_for_a_second() {
        let (mut cache, start) = (QuotaRefusalCache::default(), Instant::now());
        cache.observe(
            &admit(SYSTEM, 100),
            &OperationOutcome::QuotaExceeded { below: 500, contended: false },
            start,
        );
        let soon = start + Duration::from_millis(999);
        for (system, want, now, known) in [
            (SYSTEM, 99, soon, false),
            (SYSTEM, 100, soon, true),
            (SYSTEM, 499, soon, true),
            (SYSTEM, 500, soon, false),
            (OTHER, 100, soon, false),
            (SYSTEM, 100, start + CACHED_FOR, false),
        ] {
            let answer = cache.get(&admit(system, want), now);
            assert_eq!(answer.is_some(), known, "{want}");
        }
        cache.observe(&admit(SYSTEM, 10), &OperationOutcome::Admitted, soon);
        assert!(cache.get(&admit(SYSTEM, 100), soon).is_some());
    }

    #[test]
    fn what_frees_space_in_this_process_ends_a_refusal() {
        let now = Instant::now();
        let backup = BackupId::new(Uuid::now_v7(), Extension::Bin);
        let growth = Operation::Grow(Growth { system_id: SYSTEM, backup, want: 100 });
        let delete = |system_id| {
            let (by, attempted_before) = (DeletedBy::System, false);
            Operation::Delete(Delete { system_id, backup, by, remote_addr: None, attempted_before })
        };
        let abort = |backup| Operation::Abort(Abort { system_id: OTHER, backup, release_rate_slot: false });
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
                &OperationOutcome::QuotaExceeded { below: u64::MAX, contended: false },
                now,
            );
            cache.observe(&operation, &OperationOutcome::NotFound, now);
            assert_eq!(cache.get(&admit(SYSTEM, 100), now).is_none(), forgotten, "{operation:?}");
        }
    }
}
