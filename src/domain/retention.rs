//! Which backups of a system are pruned when a new one has come: the oldest first, never the newest.

/// What a system may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Number of backups (`BACKUP_MAX_PER_SYSTEM`), at least 1.
    pub slots: usize,
    /// Sum of their sizes in bytes (`BACKUP_MAX_SIZE_PER_SYSTEM`).
    pub bytes: u64,
}

/// Which of the two caps made a backup go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneReason {
    /// There were more backups than slots.
    Slots,
    /// Together they were larger than the size cap.
    Size,
}

/// Which of the backups with these `sizes` (in bytes, oldest first) have to go, and why. The n-th entry of the answer is
/// about the n-th oldest backup; the answer has as many entries as there are victims. The last of `sizes` is the newest
/// backup, which is never a victim, even if it alone is over the size cap.
pub fn prune(sizes: &[u64], keep: Retention) -> Vec<PruneReason> {
    let prunable = sizes.len().saturating_sub(1);
    let by_slots = sizes.len().saturating_sub(keep.slots).min(prunable);
    let mut reasons = vec![PruneReason::Slots; by_slots];
    let mut total: u128 = sizes[by_slots..].iter().map(|&size| u128::from(size)).sum();
    for &size in &sizes[by_slots..prunable] {
        if total <= u128::from(keep.bytes) {
            break;
        }
        total -= u128::from(size);
        reasons.push(PruneReason::Size);
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::PruneReason::{Size, Slots};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table() {
        let cases: &[(&[u64], usize, u64, &[PruneReason])] = &[
            (&[], 3, 100, &[]),
            (&[10], 1, 100, &[]),
            (&[10, 10, 10], 3, 100, &[]),
            (&[10, 10, 10, 10], 3, 100, &[Slots]),
            (&[10, 10, 10, 10, 10], 3, 100, &[Slots, Slots]),
            (&[50, 50], 3, 100, &[]),
            (&[50, 51], 3, 100, &[Size]),
            (&[10, 10, 90], 3, 100, &[Size]),
            (&[90, 10, 10, 90], 3, 100, &[Slots, Size]),
            // The newest stays even if it alone is too large.
            (&[10, 10, 500], 3, 100, &[Size, Size]),
            (&[500], 3, 100, &[]),
            (&[u64::MAX, u64::MAX], 3, u64::MAX, &[Size]),
        ];
        for (sizes, slots, bytes, expected) in cases {
            let keep = Retention { slots: *slots, bytes: *bytes };
            assert_eq!(prune(sizes, keep), *expected, "{sizes:?} {keep:?}");
        }
    }

    proptest! {
        #[test]
        fn the_newest_stays_and_no_more_goes_than_must(
            sizes in prop::collection::vec(1u64..100, 1..20),
            slots in 1usize..12,
            bytes in 1u64..400,
        ) {
            let keep = Retention { slots, bytes };
            let gone = prune(&sizes, keep).len();
            prop_assert!(gone < sizes.len());
            let fits = |rest: &[u64]| rest.len() <= slots && rest.iter().sum::<u64>() <= bytes;
            let rest = &sizes[gone..];
            prop_assert!(fits(rest) || rest.len() == 1);
            if gone > 0 {
                prop_assert!(!fits(&sizes[gone - 1..]));
            }
        }
    }
}
