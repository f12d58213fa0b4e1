//! The outcomes of all requests, by phase.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many failures are printed in full.
const PRINTED_LINES: usize = 20;
/// The phase in which nothing is uploaded any more.
const LAST: &str = "the final check";

/// The outcome of one request.
pub enum Outcome {
    /// Status 201.
    Stored,
    /// Any other expected status.
    Fine,
    /// Status 503.
    Unavailable,
    /// Another status, or no answer.
    Failed(String),
}

#[derive(Default)]
struct Phase {
    name: String,
    strict: bool,
    requests: u64,
    stored: u64,
    failed: u64,
    unavailable: u64,
    longest: Duration,
}

#[derive(Default)]
struct Inner {
    phases: Vec<Phase>,
    failures: Vec<String>,
    broken_promises: Vec<String>,
}

#[derive(Default)]
pub struct Phases(Mutex<Inner>);

impl Phases {
    pub fn begin(&self, name: &str, strict: bool) {
        self.lock().phases.push(Phase { name: name.to_owned(), strict, ..Phase::default() });
    }

    /// Returns the current phase; `None` before the first one.
    pub fn current(&self) -> Option<usize> {
        self.lock().phases.len().checked_sub(1)
    }

    /// Counts a request that began in phase `began`. It belongs to the phase in which it ends; but if that one
    /// is strict and `began` is loose, to `began`.
    pub fn count(&self, began: usize, took: Duration, what: &str, outcome: Outcome) {
        let mut inner = self.lock();
        let last = inner.phases.len() - 1;
        let at = if inner.phases[last].strict && !inner.phases[began].strict { began } else { last };
        let phase = &mut inner.phases[at];
        phase.requests += 1;
        phase.longest = phase.longest.max(took);
        match outcome {
            Outcome::Fine => {}
            Outcome::Stored => phase.stored += 1,
            Outcome::Unavailable => phase.unavailable += 1,
            Outcome::Failed(why) => {
                phase.failed += 1;
                let line = format!("{}: {what}: {why} (after {:.3} s)", phase.name, took.as_secs_f64());
                inner.failures.push(line);
            }
        }
    }

    /// Records a violation that no outage excuses.
    pub fn promise_broken(&self, what: String) {
        self.lock().broken_promises.push(what);
    }

    /// Prints the table; returns whether every phase met its conditions.
    pub fn report(&self) -> bool {
        let inner = self.lock();
        for line in inner.failures.iter().take(PRINTED_LINES) {
            eprintln!("    {line}");
        }
        if let Some(more @ 1..) = inner.failures.len().checked_sub(PRINTED_LINES) {
            eprintln!("    and {more} more");
        }
        println!(
            "{:<26} {:>8} {:>7} {:>8} {:>6} {:>9}",
            "phase", "requests", "stored", "failures", "503s", "longest"
        );
        let mut good = true;
        for phase in &inner.phases {
            let strict = phase.strict && (phase.failed > 0 || phase.unavailable > 0);
            let idle = phase.stored == 0 && phase.name != LAST;
            good &= !strict && !idle;
            println!(
                "{:<26} {:>8} {:>7} {:>8} {:>6} {:>7.2} s{}{}",
                phase.name,
                phase.requests,
                phase.stored,
                phase.failed,
                phase.unavailable,
                phase.longest.as_secs_f64(),
                if strict { "  <- has to be without" } else { "" },
                if idle { "  <- nothing was stored" } else { "" },
            );
        }
        for line in inner.broken_promises.iter().take(PRINTED_LINES) {
            println!("a promise was broken: {line}");
        }
        good && inner.broken_promises.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(strict: bool, outcomes: impl IntoIterator<Item = Outcome>) -> Phases {
        let phases = Phases::default();
        phases.begin("a phase", strict);
        for outcome in outcomes {
            phases.count(0, Duration::ZERO, "upload", outcome);
        }
        phases
    }

    #[test]
    fn strict_phase_permits_no_failure_and_no_503() {
        assert!(phases(true, [Outcome::Stored, Outcome::Fine]).report());
        assert!(!phases(true, [Outcome::Stored, Outcome::Unavailable]).report());
        assert!(!phases(true, [Outcome::Stored, Outcome::Failed("502".into())]).report());
        assert!(
            phases(false, [Outcome::Stored, Outcome::Unavailable, Outcome::Failed("502".into())]).report()
        );
    }

    #[test]
    fn phase_without_a_stored_backup_fails() {
        assert!(!phases(false, [Outcome::Fine, Outcome::Unavailable]).report());
    }

    #[test]
    fn broken_promise_fails_in_every_phase() {
        let phases = phases(false, [Outcome::Stored]);
        phases.promise_broken("lost".into());
        assert!(!phases.report());
    }

    #[test]
    fn request_that_began_in_a_loose_phase_counts_there() {
        let phases = phases(false, [Outcome::Stored]);
        phases.begin("a strict one", true);
        phases.count(0, Duration::ZERO, "upload", Outcome::Failed("502".into()));
        phases.count(1, Duration::ZERO, "upload", Outcome::Stored);
        assert!(phases.report());
    }
}
