//! The minimum rate of a body. A client that trickles would hold an upload open for ever, but one on a bad link must not
//! be cut off for a bad moment.
//!
//! Only time spent waiting for the client counts, so an upload is never blamed
//! for a slow store.

use std::time::Duration;

/// The length of the window, in seconds.
const WINDOW: usize = 60;
/// The second in progress is counted besides the 60 whole ones behind it: a
/// client is judged over a little more than a minute, never over less.
const BUCKETS: usize = WINDOW + 1;

/// By which factor a body has to be faster while other uploads wait for what it has reserved.
const RAISED: u64 = 16;

/// Checks that each minute of waiting for a client has brought enough bytes.
///
/// Fed with what happened ([`waited`](Self::waited), [`received`](Self::received));
/// it has no clock of its own.
#[derive(Debug, Clone)]
pub struct BodyRateCheck {
    /// Bytes that a whole window must bring; 0: off.
    needed: u64,
    /// All waiting so far.
    waited: Duration,
    /// Bytes by second of waiting: second `s` is at `s % BUCKETS`.
    buckets: [u64; BUCKETS],
    /// The sum of the buckets.
    in_window: u64,
}

impl BodyRateCheck {
    /// A check for one body; `min_rate` in bytes a second, 0: never too slow.
    #[must_use]
    pub fn new(min_rate: u64) -> Self {
        Self {
            needed: min_rate.saturating_mul(WINDOW as u64),
            waited: Duration::ZERO,
            buckets: [0; BUCKETS],
            in_window: 0,
        }
    }

    /// Adds time that was spent waiting for the client.
    pub fn waited(&mut self, time: Duration) {
        let before = self.waited.as_secs();
        self.waited = self.waited.saturating_add(time);
        // However long the wait was, each bucket is cleared at most once.
        let passed = (self.waited.as_secs() - before).min(BUCKETS as u64);
        for second in 1..=passed {
            let bucket = bucket(before.saturating_add(second));
            self.in_window -= self.buckets[bucket];
            self.buckets[bucket] = 0;
        }
    }

    /// Adds bytes that the client sent, after all waiting added so far.
    pub fn received(&mut self, bytes: u64) {
        let bucket = bucket(self.waited.as_secs());
        let bytes = bytes.min(u64::MAX - self.in_window);
        self.buckets[bucket] += bytes;
        self.in_window += bytes;
    }

    /// Whether the last 60 seconds of waiting brought too little. Never before
    /// 60 seconds of waiting.
    #[must_use]
    pub fn too_slow(&self) -> bool {
        self.slower_than(1)
    }

    /// The same for the higher rate that a body needs while other uploads wait for what it has reserved.
    #[must_use]
    pub fn too_slow_while_others_wait(&self) -> bool {
        self.slower_than(RAISED)
    }

    fn slower_than(&self, times: u64) -> bool {
        let needed = self.needed.saturating_mul(times);
        self.waited >= Duration::from_secs(WINDOW as u64) && self.in_window < needed
    }
}

fn bucket(second: u64) -> usize {
    let index = second % BUCKETS as u64;
    usize::try_from(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u64 = 1024;

    /// Waits `seconds`, in steps, then receives `bytes` after each.
    fn trickle(clock: &mut BodyRateCheck, steps: u32, step: Duration, bytes: u64) {
        for _ in 0..steps {
            clock.waited(step);
            clock.received(bytes);
        }
    }

    #[test]
    fn silence_is_too_slow_after_a_minute_and_not_before() {
        let mut clock = BodyRateCheck::new(RATE);
        clock.waited(Duration::from_secs(60) - Duration::from_millis(1));
        assert!(!clock.too_slow());
        clock.waited(Duration::from_millis(1));
        assert!(clock.too_slow());
    }

    #[test]
    fn more_is_asked_while_others_wait() {
        for (rate, too_slow, for_others) in [
            (RATE / 2, true, true),
            (RATE, false, true),
            (RAISED * RATE / 2, false, true),
            (RAISED * RATE, false, false),
        ] {
            let mut clock = BodyRateCheck::new(RATE);
            trickle(&mut clock, 100, Duration::from_secs(1), rate);
            assert_eq!(
                (clock.too_slow(), clock.too_slow_while_others_wait()),
                (too_slow, for_others),
                "{rate}"
            );
        }
    }

    #[test]
    fn the_very_rate_is_enough_for_ever_and_a_little_less_is_not() {
        for step in [100, 1000, 2500, 10_000, 30_000, 59_900] {
            let bytes = RATE * step / 1000;
            let mut clock = BodyRateCheck::new(RATE);
            for _ in 0..300_000 / step {
                trickle(&mut clock, 1, Duration::from_millis(step), bytes + 1);
                assert!(!clock.too_slow(), "{step} ms");
            }
        }
        let mut clock = BodyRateCheck::new(RATE);
        trickle(&mut clock, 62, Duration::from_secs(1), RATE * 9 / 10);
        assert!(clock.too_slow());
    }

    #[test]
    fn a_burst_carries_a_client_for_a_minute_only() {
        let mut clock = BodyRateCheck::new(RATE);
        clock.received(100 << 20);
        clock.waited(Duration::from_secs(60));
        assert!(!clock.too_slow());
        clock.waited(Duration::from_secs(1));
        assert!(clock.too_slow());
        clock.received(60 * RATE);
        assert!(!clock.too_slow());
    }

    #[test]
    fn a_client_that_needs_no_waiting_is_never_too_slow() {
        let mut clock = BodyRateCheck::new(RATE);
        trickle(&mut clock, 1000, Duration::ZERO, 1);
        assert!(!clock.too_slow());
    }

    #[test]
    fn a_rate_of_zero_is_off() {
        let mut clock = BodyRateCheck::new(0);
        clock.waited(Duration::from_secs(3600));
        assert!(!clock.too_slow());
    }

    #[test]
    fn nothing_overflows() {
        let mut clock = BodyRateCheck::new(u64::MAX);
        clock.received(u64::MAX);
        clock.received(u64::MAX);
        clock.waited(Duration::MAX);
        clock.waited(Duration::MAX);
        assert!(clock.too_slow());
    }

    proptest! {
        /// Against the plain definition, from a log of everything: too slow
        /// only if the last 60 s brought too little, and surely if the last
        /// 61 s did.
        #[test]
        fn the_buckets_agree_with_the_log(
            steps in proptest::collection::vec((0..20_000_u64, 0..30_000_u64), 1..80),
        ) {
            let mut clock = BodyRateCheck::new(RATE);
            let (mut now, mut log) = (0, Vec::new());
            for (wait, bytes) in steps {
                clock.waited(Duration::from_millis(wait));
                clock.received(bytes);
                now += wait;
                log.push((now, bytes));
                let since = |start: u64| -> u64 {
                    log.iter().filter(|(at, _)| *at >= start).map(|(_, n)| n).sum()
                };
                let exact = now >= 60_000 && since(now.saturating_sub(60_000)) < 60 * RATE;
                let sure = now >= 61_000 && since(now - 61_000) < 60 * RATE;
                prop_assert!(!clock.too_slow() || exact, "cut too early at {now}");
                prop_assert!(clock.too_slow() || !sure, "not cut at {now}");
            }
        }
    }
}
