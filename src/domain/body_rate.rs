//! The minimum rate of a body. It is averaged over a minute: a very slow client must not keep an upload open for ever, but a
//! client on a bad link must not be disconnected for a few slow seconds.
//!
//! Only the time spent waiting for the client counts, so a slow store never makes an upload too slow.

use std::time::Duration;

/// The length of the window, in seconds.
const WINDOW: usize = 60;
/// The 60 whole seconds of the window, and the second in progress: the rate is averaged over a little more than a minute,
/// never over less.
const BUCKETS: usize = WINDOW + 1;

/// The factor by which the minimum rate is raised while other uploads are refused for the bytes that this one has reserved.
const RAISED: u64 = 16;

/// Checks that a client sends enough bytes in each minute of waiting for it.
///
/// The check has no clock: the caller reports each wait ([`waited`](Self::waited)) and the bytes after it
/// ([`received`](Self::received)).
#[derive(Debug, Clone)]
pub struct BodyRateCheck {
    /// The bytes that a client has to send in a whole window; 0: no minimum.
    needed: u64,
    /// The total time of waiting so far.
    waited: Duration,
    /// Bytes by second of waiting: second `s` is at `s % BUCKETS`.
    buckets: [u64; BUCKETS],
    /// The sum of the buckets.
    in_window: u64,
}

impl BodyRateCheck {
    /// Makes a check for one body. `min_rate` is in bytes a second; with 0 no body is too slow.
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

    /// Adds bytes that the client sent after all the waiting reported so far.
    pub fn received(&mut self, bytes: u64) {
        let bucket = bucket(self.waited.as_secs());
        let bytes = bytes.min(u64::MAX - self.in_window);
        self.buckets[bucket] += bytes;
        self.in_window += bytes;
    }

    /// Whether the client has sent too few bytes in the last 60 seconds of waiting. Always `false` before 60 seconds of
    /// waiting.
    #[must_use]
    pub fn too_slow(&self) -> bool {
        self.slower_than(1)
    }

    /// The same for the raised rate, which applies while other uploads are refused for the bytes that this one has reserved.
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
