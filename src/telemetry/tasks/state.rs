//! The state of one background task, and the decisions about it: pure functions of the state and the time.

use std::time::{Duration, Instant};

/// How long a task may fail before it counts as failing, if the cause is not an outage.
const FAILING_AFTER: Duration = Duration::from_mins(1);
/// The delay before the first restart after a panic; it doubles with each further panic in a row.
const FIRST_RESTART_DELAY: Duration = Duration::from_secs(1);
/// The longest delay before a restart.
pub const MAX_RESTART_DELAY: Duration = Duration::from_mins(1);

/// Returns how long to wait before a task that has panicked `panics` times in a row is run again.
pub fn restart_delay(panics: u32, max: Duration) -> Duration {
    let factor = 2_u32.saturating_pow(panics.saturating_sub(1));
    FIRST_RESTART_DELAY.saturating_mul(factor).min(max)
}

/// Why a task can't do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskProblem {
    /// Its last run panicked.
    Panicked,
    /// It has failed for a minute, but not because a dependency is down.
    Failing,
    /// Its current run takes much longer than a run should.
    Stalled,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunResult {
    Ok,
    /// The database or the store is down: health already shows that.
    Outage,
    Error,
    Panic,
}

/// The state of a task.
#[derive(Debug, Default)]
pub(super) struct State {
    /// When the current run started, if one is running.
    started: Option<Instant>,
    /// How the last run ended.
    last: Option<RunResult>,
    /// Panics since the last success.
    pub panics: u32,
    /// The number of runs since the last success that failed, but not because of an outage, and when the first of them ended.
    errors: Option<(u32, Instant)>,
    /// The last failure that was logged; the same line is not logged again.
    logged: Option<String>,
}

impl State {
    pub(super) fn start(&mut self, now: Instant) {
        self.started = Some(now);
    }

    pub(super) fn end(&mut self, result: RunResult, now: Instant) {
        self.started = None;
        self.last = Some(result);
        match result {
            RunResult::Ok => (self.panics, self.errors) = (0, None),
            RunResult::Outage => self.errors = None,
            RunResult::Error => {
                let (count, since) = self.errors.unwrap_or((0, now));
                self.errors = Some((count + 1, since));
            }
            RunResult::Panic => self.panics += 1,
        }
    }

    /// Forgets all failures.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns why the task can't do its work, if it can't. `max_run`: how long a run may take.
    pub(super) fn problem(&self, max_run: Option<Duration>, now: Instant) -> Option<TaskProblem> {
        if self.last == Some(RunResult::Panic) {
            return Some(TaskProblem::Panicked);
        }
        // One failure is not enough: the next run of a task with a long period may succeed.
        if self.errors.is_some_and(|(count, since)| count > 1 && now.duration_since(since) >= FAILING_AFTER) {
            return Some(TaskProblem::Failing);
        }
        let (started, max_run) = self.started.zip(max_run)?;
        (now.duration_since(started) > max_run).then_some(TaskProblem::Stalled)
    }

    /// Returns whether this failure is to be logged: once, until another one or a success.
    pub(super) fn is_news(&mut self, failure: Option<&str>) -> bool {
        let is_news = self.logged.as_deref() != failure;
        self.logged = failure.map(str::to_owned);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn restart_delay_doubles_with_each_panic_up_to_the_maximum() {
        let delays =
            [1, 2, 3, 4, 6, 7, 8, 33, u32::MAX].map(|panics| restart_delay(panics, MAX_RESTART_DELAY));
        assert_eq!(delays.map(|delay| delay.as_secs()), [1, 2, 4, 8, 32, 60, 60, 60, 60]);
        assert_eq!(restart_delay(0, MAX_RESTART_DELAY), SECOND);
    }

    #[test]
    fn restart_delay_is_never_longer_than_the_maximum_of_the_task() {
        let max = Duration::from_millis(333);
        assert_eq!([1, 2, 9].map(|panics| restart_delay(panics, max)), [max; 3]);
    }

    #[test]
    fn a_task_that_panicked_has_a_problem_until_it_succeeds_or_fails_in_another_way() {
        let now = Instant::now();
        let mut state = State::default();
        assert_eq!(state.problem(None, now), None);
        state.end(RunResult::Panic, now);
        assert_eq!(state.problem(None, now), Some(TaskProblem::Panicked));
        state.start(now);
        assert_eq!(state.problem(None, now), Some(TaskProblem::Panicked), "while it is tried again");
        state.end(RunResult::Panic, now);
        assert_eq!(state.panics, 2);
        state.end(RunResult::Outage, now);
        assert_eq!(state.problem(None, now), None, "it runs, and the database is what is down");
        assert_eq!(state.panics, 2, "only a success says that it works");
        state.end(RunResult::Ok, now);
        assert_eq!((state.panics, state.problem(None, now)), (0, None));
    }

    #[test]
    fn errors_are_a_problem_when_they_last_and_outages_are_not() {
        let start = Instant::now();
        let mut state = State::default();
        state.end(RunResult::Error, start);
        assert_eq!(
            state.problem(None, start + 600 * SECOND),
            None,
            "one failure of a task that runs every ten minutes"
        );
        state.end(RunResult::Error, start + 59 * SECOND);
        assert_eq!(state.problem(None, start + 59 * SECOND), None);
        assert_eq!(state.problem(None, start + 60 * SECOND), Some(TaskProblem::Failing));
        state.end(RunResult::Outage, start + 61 * SECOND);
        assert_eq!(state.problem(None, start + 61 * SECOND), None);
        state.end(RunResult::Error, start + 62 * SECOND);
        state.end(RunResult::Error, start + 63 * SECOND);
        assert_eq!(state.problem(None, start + 63 * SECOND), None, "an outage starts the minute again");
    }

    #[test]
    fn a_run_is_stalled_when_it_takes_longer_than_it_may() {
        let start = Instant::now();
        let mut state = State::default();
        state.start(start);
        assert_eq!(state.problem(None, start + 3600 * SECOND), None, "there is no limit");
        assert_eq!(state.problem(Some(SECOND), start + SECOND), None);
        assert_eq!(state.problem(Some(SECOND), start + 2 * SECOND), Some(TaskProblem::Stalled));
        state.end(RunResult::Ok, start + 2 * SECOND);
        assert_eq!(state.problem(Some(SECOND), start + 4 * SECOND), None);
    }

    #[test]
    fn the_same_failure_is_logged_once() {
        let mut state = State::default();
        assert!(!state.is_news(None), "a success after no failure");
        assert!(state.is_news(Some("away")));
        assert!(!state.is_news(Some("away")));
        assert!(state.is_news(Some("broken")));
        assert!(state.is_news(None));
        assert!(state.is_news(Some("broken")));
    }
}
