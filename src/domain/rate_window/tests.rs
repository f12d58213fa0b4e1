//! Tables for each rule, and random histories against the promise.

use proptest::prelude::*;

use super::*;

const LIMITS: RateLimits = RateLimits { per_minute: 6, per_hour: 60 };

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).unwrap()
}

fn seconds(list: &[i64]) -> Vec<DateTime<Utc>> {
    list.iter().map(|s| at(s * 1_000_000)).collect()
}

#[test]
fn the_seventh_in_a_minute_waits_for_the_first_to_leave() {
    let entries = seconds(&[0, 1, 2, 3, 4, 5]);
    let closed = |s| RateDecision::Refuse { retry_after_seconds: s };
    assert_eq!(decide(&entries, at(10_000_000), LIMITS), closed(50));
    assert_eq!(decide(&entries, at(59_999_999), LIMITS), closed(1));
    assert!(matches!(decide(&entries, at(60_000_000), LIMITS), RateDecision::Admit { .. }));
}

#[test]
fn the_hour_counts_too() {
    let entries: Vec<_> = (0..60).map(|n| at(n * 20_000_000)).collect();
    let now = at(59 * 20_000_000 + 60_000_000);
    assert_eq!(
        decide(&entries, now, LIMITS),
        RateDecision::Refuse { retry_after_seconds: 3600 - 59 * 20 - 60 }
    );
}

#[test]
fn zero_switches_a_limit_off() {
    let entries = seconds(&[0; 600]);
    let off = RateLimits { per_minute: 0, per_hour: 0 };
    let RateDecision::Admit { entries, .. } = decide(&entries, at(0), off) else { panic!("closed") };
    assert_eq!(entries.len(), RateLimits::MAX);
}

#[test]
fn entries_from_the_future_count_as_now_and_do_not_lock_the_system_out() {
    let mut entries = seconds(&[-1, 1_000_000, 1_000_001, 1_000_002, 1_000_003, 1_000_004, 1_000_005]);
    assert_eq!(clamp_to_clock(&mut entries, at(0)).len(), 6);
    assert_eq!(decide(&entries, at(0), LIMITS), RateDecision::Refuse { retry_after_seconds: 60 });
    assert!(clamp_to_clock(&mut entries, at(60_000_000)).is_empty());
    assert!(matches!(decide(&entries, at(60_000_000), LIMITS), RateDecision::Admit { .. }));
}

#[test]
fn settled_entries_stay_apart() {
    let mut entries = vec![at(5), at(9), at(6), at(7)];
    assert_eq!(
        clamp_to_clock(&mut entries, at(7)),
        [(at(5), at(4)), (at(6), at(5)), (at(7), at(6)), (at(9), at(7))]
    );
    assert_eq!(entries, [at(4), at(5), at(6), at(7)]);
}

/// What happens to a system and to the clock; times in microseconds.
#[derive(Debug, Clone)]
enum Step {
    Upload,
    /// One of the last uploads fails for our fault.
    GiveBack(usize),
    Wait(i64),
    /// The clock is set, forward or back.
    Jump(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    const S: i64 = 1_000_000;
    let step = prop_oneof![
        12 => Just(Step::Upload),
        2 => (0..8usize).prop_map(Step::GiveBack),
        6 => (0..20 * S).prop_map(Step::Wait),
        1 => (0..4000 * S).prop_map(Step::Wait),
        1 => (-7200 * S..7200 * S).prop_map(Step::Jump),
    ];
    prop::collection::vec(step, 1..300)
}

/// An admission that counts: how much time had gone by (a clock that is set forward makes it seem
/// more, one that is set back makes it no less), and its entry.
struct Admitted {
    elapsed: i64,
    entry: DateTime<Utc>,
    /// The entry is an hour old and not kept any more.
    left: bool,
}

/// A system's entries, kept as the database keeps them.
struct History {
    limits: RateLimits,
    clock: i64,
    elapsed: i64,
    entries: Vec<DateTime<Utc>>,
    admitted: Vec<Admitted>,
}

impl History {
    fn upload(&mut self) -> Result<(), TestCaseError> {
        // No two transactions are under the lock in the same microsecond.
        self.pass(1);
        for (from, to) in clamp_to_clock(&mut self.entries, at(self.clock)) {
            self.admitted.iter_mut().filter(|a| a.entry == from).for_each(|a| a.entry = to);
        }
        let now = at(self.clock);
        let within = |span| self.entries.iter().filter(|&&entry| entry + span > now).count();
        let has_free_slot = within(TimeDelta::minutes(1)) < self.limits.per_minute
            && within(TimeDelta::hours(1)) < self.limits.per_hour;
        match decide(&self.entries, now, self.limits) {
            RateDecision::Admit { entry, entries } => {
                prop_assert!(has_free_slot, "admitted without a free slot");
                prop_assert!(
                    self.entries.iter().all(|&other| other < entry),
                    "the entry is not later than all others"
                );
                let leaves = |a: &Admitted| !a.left && a.entry + TimeDelta::hours(1) <= entry;
                self.admitted.iter_mut().filter(|a| leaves(a)).for_each(|a| a.left = true);
                self.admitted.push(Admitted { elapsed: self.elapsed, entry, left: false });
                self.entries = entries;
            }
            RateDecision::Refuse { retry_after_seconds } => {
                prop_assert!(!has_free_slot, "refused in spite of a free slot");
                let later = now + TimeDelta::seconds(i64::try_from(retry_after_seconds).unwrap());
                let decide_at = |at| decide(&self.entries, at, self.limits);
                prop_assert!(
                    matches!(decide_at(later), RateDecision::Admit { .. }),
                    "retry_after_seconds is too short"
                );
                let sooner = decide_at(later - TimeDelta::seconds(1));
                prop_assert!(
                    matches!(sooner, RateDecision::Refuse { .. }),
                    "retry_after_seconds is too long"
                );
            }
        }
        Ok(())
    }

    fn give_back(&mut self, which: usize) -> Result<(), TestCaseError> {
        let Some(index) = self.admitted.len().checked_sub(which + 1) else { return Ok(()) };
        let gone = self.admitted.remove(index);
        let before = self.entries.len();
        self.entries.retain(|&entry| entry != gone.entry);
        prop_assert_eq!(before - self.entries.len(), usize::from(!gone.left), "slots given back");
        Ok(())
    }

    fn pass(&mut self, micros: i64) {
        self.clock += micros;
        self.elapsed += micros;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        steps in steps(),
        per_minute in 1usize..8,
        per_hour in 1usize..30,
    ) {
        let limits = RateLimits { per_minute, per_hour };
        let mut history = History { limits, clock: 0, elapsed: 0, entries: vec![], admitted: vec![] };
        for step in steps {
            match step {
                Step::Upload => history.upload()?,
                Step::GiveBack(which) => history.give_back(which)?,
                Step::Wait(micros) => history.pass(micros),
                Step::Jump(micros) => {
                    history.clock += micros;
                    history.elapsed += micros.max(0);
                }
            }
        }
        for (span, limit) in [(60_000_000, per_minute), (3_600_000_000, per_hour)] {
            for many in history.admitted.windows(limit + 1) {
                prop_assert!(many[limit].elapsed - many[0].elapsed >= span, "{limit} and one more");
            }
        }
    }
}
