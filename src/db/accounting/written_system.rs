//! The row of a system as it is written: with the facts that follow from its backups (`domain::system_facts`).

use chrono::{DateTime, Utc};

use super::change::Decisions;
use super::locked_systems::LockedSystem;
use crate::domain::system_facts::{KeptBackup, SystemFacts};

/// A system whose row is written.
pub(super) struct WrittenSystem<'a> {
    pub locked: &'a LockedSystem,
    pub facts: SystemFacts,
    /// Whether the backup that was stored last is still there: only then a configuration can be reported as unchanged.
    pub has_last: bool,
}

impl<'a> WrittenSystem<'a> {
    /// `db_time`: the time at which this transaction stores backups.
    pub fn of(locked: &'a LockedSystem, decisions: &Decisions, db_time: DateTime<Utc>) -> Self {
        let kept = locked.backups.iter().map(|backup| {
            let is_new = decisions.stored.iter().any(|stored| stored.id == backup.id);
            let row = locked.row_of(backup.id).filter(|_| !is_new);
            KeptBackup {
                id: backup.id,
                size: backup.size,
                stored_at: row.and_then(|row| row.uploaded_at).unwrap_or(db_time),
                damage: row.and_then(|row| row.damage.clone()),
            }
        });
        let facts = SystemFacts::of(kept, locked.unread);
        let seq_of = |id| {
            let stored = decisions.stored.iter().find(|stored| stored.id == id).map(|stored| stored.seq);
            stored.or_else(|| locked.row_of(id)?.seq)
        };
        let newest_seq = facts.newest.as_ref().and_then(|backup| seq_of(backup.id));
        Self { locked, facts, has_last: newest_seq == Some(locked.row.last_seq) }
    }
}
