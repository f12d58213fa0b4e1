//! The only place in which tests wait for something.

use std::time::{Duration, Instant};

/// Checks every few milliseconds until the check succeeds or the deadline has passed. The last check begins after the
/// deadline: a test that was itself delayed has not seen that nothing happened.
pub fn eventually(deadline: Duration, mut check: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        let over = Instant::now() >= end;
        if check() {
            return true;
        }
        if over {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
pub fn assert_eventually(what: &str, deadline: Duration, check: impl FnMut() -> bool) {
    assert!(eventually(deadline, check), "not within {deadline:?}: {what}");
}

/// Lets this time pass, for tests whose subject is time.
pub fn wait_for(time: Duration) {
    let end = Instant::now() + time;
    eventually(time, || Instant::now() >= end);
}
