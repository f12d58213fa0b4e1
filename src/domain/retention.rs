//! Retention: chooses the backups of a system that are pruned when a new one is stored.
//!
//! [`prune`] returns a choice: the ids of its victims, each with a reason. Callers must not assume that the victims are the
//! oldest backups, or that they are adjacent. They may rely on three properties, which the tests below check:
//! * the newest backup is never a victim;
//! * what is kept respects both caps, unless only the newest is left;
//! * a larger newest backup never saves a victim: the choice for a smaller size is part of the choice for a larger one.
//!   `accounting::admit` needs this to say for which sizes a refusal holds.

use uuid::Uuid;

/// How many backups and bytes a system may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The number of backups (`BACKUP_MAX_PER_SYSTEM`), at least 1.
    pub slots: usize,
    /// The sum of their sizes in bytes (`BACKUP_MAX_SIZE_PER_SYSTEM`).
    pub bytes: u64,
}

/// A backup that retention may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub id: Uuid,
    /// The size in bytes.
    pub size: u64,
}

/// The cap for which a backup was pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneReason {
    /// The system had more backups than slots.
    Slots,
    /// The system's backups together were larger than the size cap.
    Size,
}

/// Returns which of the `candidates` are pruned, and why. The candidates are ordered from the oldest to the newest; the
/// last one is kept, even if it alone is over the size cap. The victims come in the order of the candidates.
pub fn prune(candidates: &[Candidate], keep: Retention) -> Vec<(Uuid, PruneReason)> {
    let Some((_newest, prunable)) = candidates.split_last() else { return vec![] };
    let mut count = candidates.len();
    let mut bytes: u128 = candidates.iter().map(|candidate| u128::from(candidate.size)).sum();
    let mut victims = Vec::new();
    for candidate in prunable {
        let reason = if count > keep.slots {
            PruneReason::Slots
        } else if bytes > u128::from(keep.bytes) {
            PruneReason::Size
        } else {
            break;
        };
        victims.push((candidate.id, reason));
        count -= 1;
        bytes -= u128::from(candidate.size);
    }
    victims
}

/// Backups of a system of which only the number and the size are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    pub count: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
}

impl Retention {
    /// Returns what the other backups may keep if these are kept.
    pub fn beside(self, unread: Unread) -> Self {
        let count = usize::try_from(unread.count).unwrap_or(usize::MAX);
        Self { slots: self.slots.saturating_sub(count), bytes: self.bytes.saturating_sub(unread.bytes) }
    }
}

/// Whether [`prune`] takes only some of the `oldest` backups, and not all of them, whichever of the uploads `wanted` are stored, in
/// any order. Then it makes the same choice if all newer backups are left out, and the limits are lowered by them
/// ([`Retention::beside`]). `all`: every backup that the system has. The sizes are in bytes.
///
/// The uploads and backups together are over the limits by what the first victims have. If fewer uploads are stored, or other
/// backups were removed before, fewer victims are enough.
pub fn takes_only_oldest(oldest: &[u64], all: Unread, wanted: &[u64], keep: Retention) -> bool {
    let mut count = all.count.saturating_add(wanted.len() as u64);
    let mut bytes = u128::from(all.bytes) + wanted.iter().copied().map(u128::from).sum::<u128>();
    for size in oldest {
        if count <= keep.slots as u64 && bytes <= u128::from(keep.bytes) {
            return true;
        }
        count = count.saturating_sub(1);
        bytes = bytes.saturating_sub(u128::from(*size));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::PruneReason::{Size, Slots};
    use super::*;
    use proptest::prelude::*;

    /// Candidates with these sizes, and their position as their id.
    fn candidates(sizes: &[u64]) -> Vec<Candidate> {
        (0u128..).zip(sizes).map(|(n, &size)| Candidate { id: Uuid::from_u128(n), size }).collect()
    }

    /// The positions of the victims, with their reasons.
    fn pruned(sizes: &[u64], keep: Retention) -> Vec<(u128, PruneReason)> {
        prune(&candidates(sizes), keep).into_iter().map(|(id, reason)| (id.as_u128(), reason)).collect()
    }

    #[test]
    fn the_oldest_backups_over_a_cap_are_pruned() {
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
            // The newest is kept even if it alone is too large.
            (&[10, 10, 500], 3, 100, &[Size, Size]),
            (&[500], 3, 100, &[]),
            (&[u64::MAX, u64::MAX], 3, u64::MAX, &[Size]),
        ];
        for (sizes, slots, bytes, expected) in cases {
            let keep = Retention { slots: *slots, bytes: *bytes };
            let expected: Vec<_> = (0u128..).zip(expected.iter().copied()).collect();
            assert_eq!(pruned(sizes, keep), expected, "{sizes:?} {keep:?}");
        }
    }

    /// The rule for backups none of which is spared, said another way: drop the oldest until the rest fits.
    fn oldest_until_the_rest_fits(sizes: &[u64], keep: Retention) -> Vec<(u128, PruneReason)> {
        let fits = |rest: &[u64]| rest.len() <= keep.slots && rest.iter().sum::<u64>() <= keep.bytes;
        let dropped = (0..sizes.len()).find(|&n| fits(&sizes[n..]) || n + 1 == sizes.len()).unwrap_or(0);
        let reason = |n: usize| if sizes.len() - n > keep.slots { Slots } else { Size };
        (0u128..).zip(0..dropped).map(|(id, n)| (id, reason(n))).collect()
    }

    #[test]
    fn limits_that_reach_beyond_the_oldest_are_recognized() {
        let all = |count, bytes| Unread { count, bytes };
        let keep = |slots, bytes| Retention { slots, bytes };
        let cases = [
            (all(10, 100), keep(11, 1000), true, "nothing is over"),
            (all(10, 100), keep(10, 1000), true, "one is taken, one is left"),
            (all(10, 100), keep(9, 1000), false, "both are taken"),
            (all(10, 100), keep(20, 110), true, "the cap is reached"),
            (all(10, 100), keep(20, 109), true, "one is taken for the cap"),
            (all(10, 100), keep(20, 99), false, "one is not enough"),
            (all(10, 100), keep(20, 5), false, "the upload alone is over the cap"),
        ];
        for (all, keep, expected, what) in cases {
            assert_eq!(takes_only_oldest(&[10, 10], all, &[10], keep), expected, "{what}");
        }
        assert!(!takes_only_oldest(&[], all(0, 0), &[10], keep(5, 100)), "none is known");
    }

    fn sizes() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(1u64..100, 1..20)
    }

    fn keep() -> impl Strategy<Value = Retention> {
        (1usize..12, 1u64..400).prop_map(|(slots, bytes)| Retention { slots, bytes })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_choice_keeps_the_newest_and_respects_both_caps(sizes in sizes(), keep in keep()) {
            let victims = pruned(&sizes, keep);
            let is_victim = |n: u128| victims.iter().any(|(victim, _)| *victim == n);
            let kept: Vec<u64> = (0u128..).zip(&sizes).filter(|(n, _)| !is_victim(*n)).map(|(_, &size)| size).collect();
            prop_assert_eq!(kept.last(), sizes.last());
            prop_assert_eq!(kept.len() + victims.len(), sizes.len(), "a victim twice, or unknown: {:?}", victims);
            let fits = kept.len() <= keep.slots && kept.iter().sum::<u64>() <= keep.bytes;
            prop_assert!(fits || kept.len() == 1);
        }

        #[test]
        fn a_larger_newest_backup_saves_no_victim(sizes in sizes(), keep in keep(), more in 0u64..300) {
            let smaller = pruned(&sizes, keep);
            let mut sizes = sizes;
            *sizes.last_mut().unwrap() += more;
            let larger = pruned(&sizes, keep);
            for (victim, _) in smaller {
                prop_assert!(larger.iter().any(|(other, _)| *other == victim), "{victim} {larger:?}");
            }
        }

        #[test]
        fn what_is_behind_the_oldest_need_not_be_known(
            sizes in prop::collection::vec(1u64..100, 4..24),
            (known, newest) in (3usize..9, 0usize..4),
            wanted in prop::collection::vec(1u64..50, 1..4),
            (fewer, less) in (0usize..5, 0u64..200),
        ) {
            let known = known.min(sizes.len());
            let newest = newest.min(sizes.len() - known);
            let middle = &sizes[known..sizes.len() - newest];
            let amount = |sizes: &[u64]| Unread { count: sizes.len() as u64, bytes: sizes.iter().sum() };
            // Limits that a few of the oldest make way for.
            let whole = [&sizes[..], &wanted[..]].concat();
            let keep = Retention {
                slots: whole.len().saturating_sub(fewer).max(1),
                bytes: amount(&whole).bytes.saturating_sub(less),
            };
            prop_assume!(takes_only_oldest(&sizes[..known], amount(&sizes), &wanted, keep));
            for stored in 1..=wanted.len() {
                let all = &whole[..sizes.len() + stored];
                let mut without = candidates(all);
                without.drain(known..known + middle.len());
                let expected = prune(&candidates(all), keep);
                prop_assert!(expected.len() < known);
                prop_assert_eq!(prune(&without, keep.beside(amount(middle))), expected);
            }
        }

        #[test]
        fn the_choice_is_the_oldest_until_the_rest_fits(sizes in sizes(), keep in keep()) {
            prop_assert_eq!(pruned(&sizes, keep), oldest_until_the_rest_fits(&sizes, keep));
        }
    }
}
