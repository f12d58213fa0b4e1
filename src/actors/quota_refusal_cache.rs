//! Which uploads an organization's quota was just found to have no room for, so that a system that tries
//! again and again costs its siblings one transaction a second.
//!
//! For a second from the answer of the database, what it has said is repeated to the same system for the
//! same size and for larger ones, up to the size for which retention would free more: until something
//! changes the database would say the same. What changes it in this process is known here:
//! * a deletion, or an upload that is taken back, makes room: everything is forgotten. But the upload that
//!   was refused itself (when it grew) had no part in the answer, and its own end changes nothing;
//! * a commit changes what retention would take from its system: that system's refusal is forgotten. It may
//!   free something for siblings as well, which they see within the second: a busy organization commits all
//!   the time, and if each of these let the refused one in again there would be no point in this.
//!
//! What other processes do is seen within the second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::accounting::{Operation, OperationOutcome};

const REMEMBERED: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct QuotaRefusalCache(HashMap<Uuid, Refused>);

struct Refused {
    /// The upload that asked.
    upload: Uuid,
    /// Bytes that it asked for.
    from: u64,
    /// Sizes from here on have to ask themselves.
    below: u64,
    contended: bool,
    until: Instant,
}

impl QuotaRefusalCache {
    /// What an operation that has not been run will come to, if that is known.
    pub fn foresees(&self, operation: &Operation, now: Instant) -> Option<OperationOutcome> {
        let Operation::Admit(op) = operation else { return None };
        let refused = self.0.get(&op.system_id)?;
        let same = (refused.from..refused.below).contains(&op.want) && now < refused.until;
        same.then_some(OperationOutcome::QuotaExceeded { below: refused.below, contended: refused.contended })
    }

    /// Takes in what an operation has come to.
    pub fn learn(&mut self, operation: &Operation, outcome: &OperationOutcome, now: Instant) {
        match (operation, outcome) {
            (Operation::Admit(op), OperationOutcome::QuotaExceeded { below, contended }) => {
                self.refused(op.system_id, op.backup.uuid(), op.want, (*below, *contended), now);
            }
            (Operation::Grow(op), OperationOutcome::QuotaExceeded { below, contended }) => {
                self.refused(op.system_id, op.backup.uuid(), op.want, (*below, *contended), now);
            }
            (Operation::Delete(_), _) => self.0.clear(),
            (Operation::Abort(op), _) => self.0.retain(|_, refused| refused.upload == op.backup),
            (Operation::Commit(op), _) => drop(self.0.remove(&op.system_id)),
            (Operation::Admit(_) | Operation::Grow(_), _) => {}
        }
    }

    fn refused(
        &mut self,
        system: Uuid,
        upload: Uuid,
        from: u64,
        (below, contended): (u64, bool),
        now: Instant,
    ) {
        self.0.retain(|_, refused| now < refused.until);
        self.0.insert(system, Refused { upload, from, below, contended, until: now + REMEMBERED });
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
        let (mut memory, start) = (QuotaRefusalCache::default(), Instant::now());
        memory.learn(
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
            (SYSTEM, 100, start + REMEMBERED, false),
        ] {
            let answer = memory.foresees(&admit(system, want), now);
            assert_eq!(answer.is_some(), known, "{want}");
        }
        memory.learn(&admit(SYSTEM, 10), &OperationOutcome::Admitted, soon);
        assert!(memory.foresees(&admit(SYSTEM, 100), soon).is_some());
    }

    #[test]
    fn what_makes_room_here_is_noticed() {
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
            let mut memory = QuotaRefusalCache::default();
            memory.learn(
                &growth,
                &OperationOutcome::QuotaExceeded { below: u64::MAX, contended: false },
                now,
            );
            memory.learn(&operation, &OperationOutcome::NotFound, now);
            assert_eq!(memory.foresees(&admit(SYSTEM, 100), now).is_none(), forgotten, "{operation:?}");
        }
    }
}
