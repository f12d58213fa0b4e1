//! What one appliance knows about its backups.

use std::collections::{BTreeMap, BTreeSet};

/// How many backups a system keeps (`BACKUP_MAX_PER_SYSTEM`).
pub const SLOTS: usize = 10;

/// A backup that was answered 201 and must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promised {
    pub id: String,
    pub sha256: String,
}

/// The uploads of an appliance in their order. It sends one after another, so the service's order is the same.
#[derive(Default)]
pub struct ExpectedBackups {
    /// By number; `None` is an upload that may or may not exist: its answer was lost, it may have been pruned,
    /// or its deletion was not answered.
    kept: BTreeMap<u64, Option<Promised>>,
    /// Hashes of all bodies that were sent and may be listed.
    may_be_there: BTreeSet<String>,
    /// Slots that uploads without an answer may hold. With a tight quota such an upload, until it is aborted,
    /// holds a backup that would otherwise be kept (`audit` and the quota stay right): then one less is certain,
    /// whatever comes after it.
    held: usize,
}

impl ExpectedBackups {
    pub fn stored(&mut self, number: u64, backup: Promised) {
        self.may_be_there.insert(backup.sha256.clone());
        self.kept.insert(number, Some(backup));
        self.prune();
    }

    /// Records an upload whose answer was lost; `tight`: with a tight quota.
    pub fn perhaps_stored(&mut self, number: u64, sha256: String, tight: bool) {
        self.held += usize::from(tight);
        self.may_be_there.insert(sha256);
        self.kept.insert(number, None);
        self.prune();
    }

    /// Marks the oldest as uncertain; uploads that may exist count as if they did.
    fn prune(&mut self) {
        let certain = SLOTS.saturating_sub(self.held).max(1);
        let old = self.kept.len().saturating_sub(certain);
        for (_, backup) in self.kept.iter_mut().take(old) {
            *backup = None;
        }
    }

    /// Returns one of the backups that must exist.
    pub fn pick(&self, random: u64) -> Option<(u64, Promised)> {
        let promised: Vec<_> = self.promised().collect();
        let at = usize::try_from(random).unwrap_or(0).checked_rem(promised.len())?;
        promised.get(at).map(|(number, backup)| (*number, (*backup).clone()))
    }

    pub fn promised(&self) -> impl Iterator<Item = (u64, &Promised)> {
        self.kept.iter().filter_map(|(number, backup)| Some((*number, backup.as_ref()?)))
    }

    pub fn deleted(&mut self, number: u64) {
        if let Some(Some(backup)) = self.kept.remove(&number) {
            self.may_be_there.remove(&backup.sha256);
        }
    }

    pub fn perhaps_deleted(&mut self, number: u64) {
        self.kept.insert(number, None);
    }

    /// Compares the service's list (ids and hashes) with the expectation; returns the first difference.
    pub fn check(&self, listed: &[Promised]) -> Result<(), String> {
        if let Some((_, lost)) = self.promised().find(|(_, backup)| !listed.contains(backup)) {
            return Err(format!("backup {} is not listed as it was stored", lost.id));
        }
        match listed.iter().find(|backup| !self.may_be_there.contains(&backup.sha256)) {
            Some(other) => Err(format!("backup {} is listed, and was deleted or never stored", other.id)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(number: u64) -> Promised {
        Promised { id: format!("id-{number}"), sha256: format!("hash-{number}") }
    }

    fn of(numbers: std::ops::Range<u64>) -> (ExpectedBackups, Vec<Promised>) {
        let mut expected = ExpectedBackups::default();
        numbers.clone().for_each(|number| expected.stored(number, backup(number)));
        (expected, numbers.map(backup).collect())
    }

    #[test]
    fn promised_backup_must_be_listed_with_its_hash() {
        let (expected, mut listed) = of(0..3);
        assert_eq!(expected.check(&listed), Ok(()));
        assert!(expected.check(&listed[1..]).is_err());
        listed[1].sha256 = "hash-0".into();
        assert!(expected.check(&listed).is_err());
    }

    #[test]
    fn pruned_backup_need_not_be_listed() {
        let (expected, listed) = of(0..11);
        assert_eq!(expected.check(&listed[1..]), Ok(()));
        assert!(expected.check(&listed[2..]).is_err());
    }

    #[test]
    fn unanswered_upload_may_be_listed_and_may_have_pruned() {
        let (mut expected, mut listed) = of(0..10);
        expected.perhaps_stored(10, backup(10).sha256, false);
        assert_eq!(expected.check(&listed), Ok(()));
        listed.push(backup(10));
        assert_eq!(expected.check(&listed[1..]), Ok(()));
        assert!(expected.check(&listed[2..]).is_err());
    }

    #[test]
    fn unanswered_upload_with_a_tight_quota_holds_a_slot() {
        let (mut expected, _) = of(0..10);
        expected.perhaps_stored(10, backup(10).sha256, true);
        (11..30).for_each(|number| expected.stored(number, backup(number)));
        let listed: Vec<_> = (20..30).map(backup).collect();
        assert_eq!(expected.check(&listed[1..]), Ok(()));
        assert!(expected.check(&listed[2..]).is_err());
    }

    #[test]
    fn deleted_backup_must_not_be_listed() {
        let (mut expected, listed) = of(0..3);
        expected.deleted(1);
        assert!(expected.check(&listed).is_err());
        expected.perhaps_deleted(2);
        assert_eq!(expected.check(&[backup(0)]), Ok(()));
        assert_eq!(expected.check(&[backup(0), backup(2)]), Ok(()));
        assert!(expected.check(&[backup(0), backup(3)]).is_err());
    }
}
