//! The only place that waits.

use std::time::{Duration, Instant};

/// Asks again every few milliseconds until the answer is yes or the time is over. The last question is asked after
/// the end: who was held up himself has not seen that nothing came.
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
