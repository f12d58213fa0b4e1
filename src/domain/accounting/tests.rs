//! Tables for each rule, and random interleavings against the invariants.

use proptest::prelude::*;

use super::admission::pledge;
use super::commit::commit_choice;
use super::*;

const NO_CAP: u64 = u64::MAX / 4;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn limits(slots: usize, bytes: u64, quota: Option<u64>) -> StorageLimits {
    StorageLimits { retention: Retention { slots, bytes }, quota }
}

/// Stored backups numbered from 1, in an organization whose other systems have `elsewhere` bytes.
fn usage(sizes: &[u64], elsewhere: u64) -> SystemUsage {
    let backups: Vec<_> =
        (1u128..).zip(sizes).map(|(n, &size)| StoredBackup { id: id(n), size, pledged_to: None }).collect();
    SystemUsage {
        stored_bytes: sizes.iter().sum::<u64>() + elsewhere,
        reserved_bytes: 0,
        backups,
        uploads: vec![],
        pruned: vec![],
    }
}

#[test]
fn the_quota_is_exact_to_the_byte() {
    let before = usage(&[40], 0);
    assert!(admit(&before, limits(10, NO_CAP, Some(100)), id(9), 60).is_ok());
    assert!(admit(&before, limits(10, NO_CAP, Some(100)), id(9), 61).is_err());
    assert!(admit(&before, limits(10, NO_CAP, None), id(9), NO_CAP).is_ok());
}

#[test]
fn what_another_upload_holds_is_not_free() {
    let limits = limits(10, NO_CAP, Some(100));
    let one = admit(&usage(&[], 0), limits, id(8), 70).unwrap();
    assert_eq!(one.reserved_bytes, 70);
    assert!(admit(&one, limits, id(9), 30).is_ok());
    assert!(admit(&one, limits, id(9), 31).is_err());
    assert_eq!(abort(&one, id(8)), usage(&[], 0));
}

#[test]
fn a_full_organization_keeps_rolling() {
    let limits = limits(2, NO_CAP, Some(100));
    let before = usage(&[30, 20], 50);
    let after = admit(&before, limits, id(9), 30).unwrap();
    assert_eq!((after.stored_bytes, after.reserved_bytes), (100, 0));
    assert_eq!(after.backups[0].pledged_to, Some(id(9)));
    assert!(admit(&before, limits, id(9), 31).is_err());
    let done = commit(&after, limits, id(9), 30).unwrap();
    assert_eq!(done.stored_bytes, 100);
    assert_eq!(done.pruned, [(after.backups[0], PruneReason::Slots)]);
    assert_eq!(done.backups.iter().map(|b| b.id).collect::<Vec<_>>(), [id(2), id(9)]);
}

#[test]
fn the_same_oldest_is_not_promised_twice() {
    let limits = limits(2, NO_CAP, Some(100));
    let one = admit(&usage(&[30, 20], 50), limits, id(8), 30).unwrap();
    // The second may have what the second oldest takes, no more.
    assert!(admit(&one, limits, id(9), 21).is_err());
    let two = admit(&one, limits, id(9), 20).unwrap();
    assert_eq!(two.backups[1].pledged_to, Some(id(9)));
    // The second one commits first: retention takes the oldest, which was pledged to the first,
    // and the first gets the second one's pledge for it.
    let done = commit(&two, limits, id(9), 20).unwrap();
    assert_eq!((done.stored_bytes, done.reserved_bytes), (90, 10));
    assert_eq!(done.backups[0], StoredBackup { id: id(2), size: 20, pledged_to: Some(id(8)) });
    // And the first one rolls on with it: its pledge goes, and what it had to add was held.
    let last = commit(&done, limits, id(8), 30).unwrap();
    assert_eq!((last.stored_bytes, last.reserved_bytes), (100, 0));
}

#[test]
fn a_deleted_pledge_has_to_be_reserved() {
    let limits = limits(1, NO_CAP, Some(100));
    let open = admit(&usage(&[30], 70), limits, id(9), 30).unwrap();
    let after = delete(&open, id(1)).unwrap();
    assert_eq!((after.stored_bytes, after.reserved_bytes), (70, 30));
    assert_eq!(after.uploads, [OpenUpload { id: id(9), wanted_bytes: 30, reserved: 30 }]);
    assert_eq!(delete(&after, id(1)), None);
}

#[test]
fn a_pledge_is_called_in_when_retention_no_longer_takes_it() {
    let limits = limits(2, NO_CAP, Some(100));
    let open = admit(&usage(&[30, 20], 50), limits, id(9), 30).unwrap();
    // The newer one is deleted, and another system takes its bytes.
    let mut deleted = delete(&open, id(2)).unwrap();
    deleted.stored_bytes += 20;
    let done = commit(&deleted, limits, id(9), 30).unwrap();
    assert_eq!(done.stored_bytes, 100);
    assert_eq!(done.backups.len(), 1);
}

#[test]
fn a_lowered_quota_refuses_at_the_commit() {
    let open = admit(&usage(&[10], 0), limits(9, NO_CAP, Some(100)), id(9), 50).unwrap();
    assert_eq!(commit(&open, limits(9, NO_CAP, Some(40)), id(9), 50), Err(QuotaLowered));
    assert!(commit(&open, limits(9, NO_CAP, Some(60)), id(9), 50).is_ok());
}

#[test]
fn growing_reserves_only_the_difference() {
    let limits = limits(9, NO_CAP, Some(100));
    let first = admit(&usage(&[], 0), limits, id(9), 8).unwrap();
    let second = grow(&first, limits, id(9), 100).unwrap();
    assert_eq!(second.reserved_bytes, 100);
    assert!(grow(&second, limits, id(9), 101).is_err());
    assert_eq!(commit(&second, limits, id(9), 3).unwrap().total(), 3);
}

/// Which backups an operation chooses as victims: those of retention, or any others, one for each bit.
type Choice = Option<u8>;

/// An organization of three systems, driven at random.
#[derive(Debug, Clone)]
enum Step {
    Admit(usize, u64, Choice),
    Grow(usize, usize, u64),
    Commit(usize, usize, u64, Choice),
    Abort(usize, usize),
    Delete(usize, usize),
    Quota(Option<u64>),
}

impl Step {
    /// `None`: it concerns the organization.
    fn system(&self) -> Option<usize> {
        match *self {
            Self::Admit(system, ..)
            | Self::Grow(system, ..)
            | Self::Commit(system, ..)
            | Self::Abort(system, _)
            | Self::Delete(system, _) => Some(system),
            Self::Quota(_) => None,
        }
    }
}

fn step(choice: BoxedStrategy<Choice>) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3usize, 1..60u64, choice.clone()).prop_map(|(s, wanted_bytes, choice)| Step::Admit(s, wanted_bytes, choice)),
        1 => (0..3usize, 0..4usize, 1..90u64).prop_map(|(s, u, wanted_bytes)| Step::Grow(s, u, wanted_bytes)),
        4 => (0..3usize, 0..4usize, 0..20u64, choice)
            .prop_map(|(s, u, less, choice)| Step::Commit(s, u, less, choice)),
        1 => (0..3usize, 0..4usize).prop_map(|(s, u)| Step::Abort(s, u)),
        1 => (0..3usize, 0..6usize).prop_map(|(s, b)| Step::Delete(s, b)),
        1 => prop::option::weighted(0.9, 20..300u64).prop_map(Step::Quota),
    ]
}

/// The backups that a choice names.
fn chosen(usage: &SystemUsage, bits: u8) -> Vec<Uuid> {
    let named = |n: usize| bits.checked_shr(u32::try_from(n).unwrap()).is_some_and(|rest| rest & 1 == 1);
    usage.backups.iter().enumerate().filter(|(n, _)| named(*n)).map(|(_, b)| b.id).collect()
}

/// Applies one step to its system; `None` if it had nothing to act on or was refused.
fn apply(usage: &SystemUsage, limits: StorageLimits, step: &Step, fresh: Uuid) -> Option<SystemUsage> {
    let upload = |n: usize| usage.uploads.get(n).copied();
    match *step {
        Step::Admit(_, wanted_bytes, None) => admit(usage, limits, fresh, wanted_bytes).ok(),
        Step::Admit(_, wanted_bytes, Some(bits)) => {
            let mut after = usage.clone();
            after.uploads.push(OpenUpload { id: fresh, wanted_bytes, reserved: 0 });
            pledge(&mut after, fresh, &chosen(usage, bits));
            (after.total() <= limits.quota.unwrap_or(u64::MAX).max(usage.total())).then_some(after)
        }
        Step::Grow(_, n, wanted_bytes) => grow(usage, limits, upload(n)?.id, wanted_bytes).ok(),
        Step::Commit(_, n, less, choice) => {
            let u = upload(n)?;
            let size = u.wanted_bytes.saturating_sub(less).max(1);
            let done = match choice {
                None => commit(usage, limits, u.id, size),
                Some(bits) => {
                    let victims = chosen(usage, bits).into_iter().map(|id| (id, PruneReason::Slots));
                    commit_choice(usage, limits.quota, (u.id, size), &victims.collect::<Vec<_>>())
                }
            };
            Some(done.unwrap_or_else(|QuotaLowered| abort(usage, u.id)))
        }
        Step::Abort(_, n) => Some(abort(usage, upload(n)?.id)),
        Step::Delete(_, n) => delete(usage, usage.backups.get(n)?.id),
        Step::Quota(_) => None,
    }
}

#[test]
fn a_refusal_says_for_which_sizes_it_holds() {
    let refused = |sizes: &[u64], slots, wanted_bytes| {
        let full = usage(sizes, 100);
        let quota = Some(full.total());
        admit(&full, limits(slots, 50, quota), id(9), wanted_bytes).unwrap_err().refused_below_bytes
    };
    assert_eq!(refused(&[20], 5, 10), 31, "from 31 on the size cap takes the 20");
    assert_eq!(refused(&[20, 10], 5, 25), 41, "the 20 is taken for 25, and from 41 on the 10, too");
    assert_eq!(refused(&[5], 1, 10), u64::MAX, "there is nothing more to take");
    assert_eq!(refused(&[], 5, 10), u64::MAX);
}

proptest! {
    #[test]
    fn what_a_refusal_says_of_larger_ones_is_true(
        sizes in prop::collection::vec(1u64..60, 0..6),
        opened in prop::collection::vec(1u64..60, 0..3),
        (slots, bytes, room) in (1usize..5, 20u64..200, 0u64..60),
        wanted_bytes in 1u64..120,
    ) {
        let mut before = usage(&sizes, 0);
        for (n, wanted_bytes) in (50u128..).zip(opened) {
            before = admit(&before, limits(slots, bytes, None), id(n), wanted_bytes).unwrap();
        }
        let limits = limits(slots, bytes, Some(before.total() + room));
        if let Err(QuotaExceeded { refused_below_bytes, .. }) = admit(&before, limits, id(9), wanted_bytes) {
            for larger in wanted_bytes..refused_below_bytes.min(300) {
                prop_assert!(admit(&before, limits, id(9), larger).is_err(), "{wanted_bytes} {larger} {refused_below_bytes}");
            }
            let pledges = |wanted_bytes| {
                let admitted = admit(&before, StorageLimits { quota: None, ..limits }, id(9), wanted_bytes).unwrap();
                admitted.backups.iter().filter(|b| b.pledged_to == Some(id(9))).count()
            };
            let more_from = (wanted_bytes..600).find(|&larger| pledges(larger) > pledges(wanted_bytes));
            prop_assert_eq!(refused_below_bytes, more_from.unwrap_or(u64::MAX));
        }
    }
}

/// Runs the steps and checks the invariants after each; the slots only after commits for which retention has chosen.
fn invariants_hold(steps: &[Step], slots: usize, bytes: u64) -> Result<(), TestCaseError> {
    let mut limits = limits(slots, bytes, Some(150));
    let mut systems = vec![usage(&[], 0), usage(&[], 0), usage(&[], 0)];
    let (mut stored, mut reserved) = (0u64, 0u64);
    for (n, step) in (100u128..).zip(steps) {
        if let Step::Quota(quota) = step {
            limits.quota = *quota;
        }
        let Some(s) = step.system() else { continue };
        systems[s].stored_bytes = stored;
        systems[s].reserved_bytes = reserved;
        let before = systems[s].clone();
        let Some(mut after) = apply(&before, limits, step, id(n)) else { continue };
        let ceiling = limits.quota.unwrap_or(u64::MAX).max(before.total());
        prop_assert!(after.total() <= ceiling, "{before:?}\n{step:?}\n{after:?}");
        let committed = before.uploads.iter().any(|u| after.backups.last().is_some_and(|b| u.id == b.id));
        if let (true, Step::Commit(.., None)) = (committed, step) {
            prop_assert!(after.backups.len() <= slots);
        }
        after.pruned.clear();
        (stored, reserved) = (after.stored_bytes, after.reserved_bytes);
        systems[s] = after;
        for usage in &systems {
            for u in &usage.uploads {
                prop_assert_eq!(u.reserved, u.wanted_bytes.saturating_sub(usage.pledged(u.id)));
            }
            for b in &usage.backups {
                prop_assert!(b.pledged_to.is_none_or(|to| usage.uploads.iter().any(|u| u.id == to)));
            }
        }
        let sum = |f: fn(&SystemUsage) -> u64| systems.iter().map(f).sum::<u64>();
        prop_assert_eq!(stored, sum(|usage| usage.backups.iter().map(|b| b.size).sum()));
        prop_assert_eq!(reserved, sum(|usage| usage.uploads.iter().map(|u| u.reserved).sum()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_interleaving_exceeds_the_quota_or_unbalances_the_totals(
        steps in prop::collection::vec(step(Just(None).boxed()), 1..80),
        slots in 1usize..5,
        bytes in 20u64..200,
    ) {
        invariants_hold(&steps, slots, bytes)?;
    }

    /// At each admission and commit any set of stored backups may be chosen, also those pledged to other uploads, and none.
    #[test]
    fn no_choice_of_victims_exceeds_the_quota_or_unbalances_the_totals(
        steps in prop::collection::vec(step(prop::option::weighted(0.7, any::<u8>()).boxed()), 1..80),
        slots in 1usize..5,
        bytes in 20u64..200,
    ) {
        invariants_hold(&steps, slots, bytes)?;
    }
}
