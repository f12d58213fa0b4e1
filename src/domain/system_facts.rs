//! What a system's row says of its stored backups. It is written together with them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::retention::Unread;

/// A stored backup, as far as the facts depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBackup {
    pub id: Uuid,
    /// In bytes.
    pub size: u64,
    pub stored_at: DateTime<Utc>,
    /// `damaged` or `missing`, if its object is known to be.
    pub damage: Option<String>,
}

/// The facts: the columns of `systems` that follow from its stored backups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemFacts {
    /// How many backups are stored.
    pub kept: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
    pub newest: Option<KeptBackup>,
    /// The newest backup without damage.
    pub newest_whole: Option<KeptBackup>,
}

impl SystemFacts {
    /// Returns the facts of these backups and of `unread`, among which are neither the newest nor the newest whole one. `backups`:
    /// oldest first.
    pub fn of(backups: impl IntoIterator<Item = KeptBackup>, unread: Unread) -> Self {
        let mut facts = Self { kept: unread.count, bytes: unread.bytes, ..Self::default() };
        for backup in backups {
            facts.kept += 1;
            facts.bytes = facts.bytes.saturating_add(backup.size);
            if backup.damage.is_none() {
                facts.newest_whole = Some(backup.clone());
            }
            facts.newest = Some(backup);
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(number: u128, size: u64, damage: Option<&str>) -> KeptBackup {
        let stored_at = DateTime::from_timestamp(1_800_000_000 - i64::try_from(number).unwrap(), 0).unwrap();
        KeptBackup { id: Uuid::from_u128(number), size, stored_at, damage: damage.map(str::to_owned) }
    }

    #[test]
    fn the_newest_backup_is_the_last_one_whatever_the_clock_says() {
        let ids = |facts: &SystemFacts| {
            let id = |backup: &Option<KeptBackup>| backup.as_ref().map(|backup| backup.id.as_u128());
            (facts.kept, facts.bytes, id(&facts.newest), id(&facts.newest_whole))
        };
        assert_eq!(SystemFacts::of([], Unread::default()), SystemFacts::default());
        let cases = [
            (vec![backup(1, 10, None)], (1, 10, Some(1), Some(1))),
            (vec![backup(1, 10, None), backup(2, 5, None)], (2, 15, Some(2), Some(2))),
            (vec![backup(1, 10, None), backup(2, 5, Some("damaged"))], (2, 15, Some(2), Some(1))),
            (vec![backup(1, 10, Some("missing")), backup(2, 5, None)], (2, 15, Some(2), Some(2))),
            (vec![backup(1, 10, Some("missing"))], (1, 10, Some(1), None)),
        ];
        for (backups, expected) in cases {
            assert_eq!(ids(&SystemFacts::of(backups, Unread::default())), expected);
        }
    }
}
