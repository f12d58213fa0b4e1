//! The status of each background task, for the log, the metrics and health.
//!
//! A task is work that no request waits for: `tasks/supervisor` repeats most tasks. Some modules run tasks on demand (the
//! abort of a failed upload, the shared transactions). Every run is inside [`TaskStatus::run`], which catches a panic,
//! logs it once with the name of the task, and counts it.

mod state;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::registered::registered;
pub use state::{MAX_RESTART_DELAY, TaskProblem, restart_delay};
use state::{RunResult, State};

/// Why a run of a task failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct TaskFailure {
    pub text: String,
    /// Whether the cause is that the database or the store is down: health shows that anyway.
    pub is_outage: bool,
    /// When to run the task again, if not after its usual period.
    pub retry_after: Option<Duration>,
    /// Whether the task has logged the failure.
    pub is_logged: bool,
}

impl TaskFailure {
    /// Returns a failure that is not an outage's.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_outage: false, retry_after: None, is_logged: false }
    }

    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    pub fn logged(self) -> Self {
        Self { is_logged: true, ..self }
    }
}

/// How a run ended that did not succeed.
#[derive(Debug)]
pub enum RunError {
    Failed(TaskFailure),
    /// The run panicked. Contains the number of panics since the last success.
    Panicked(u32),
}

/// The background tasks of this process; cheap to clone.
#[derive(Clone)]
pub struct TaskTable(Arc<Table>);

struct Table {
    runs: IntCounterVec,
    up: IntGaugeVec,
    last_success: IntGaugeVec,
    tasks: Mutex<BTreeMap<&'static str, Entry>>,
}

#[derive(Clone)]
struct Entry {
    state: Arc<Mutex<State>>,
    max_run: Option<Duration>,
}

/// The status of one task; cheap to clone.
#[derive(Clone)]
pub struct TaskStatus {
    name: &'static str,
    state: Arc<Mutex<State>>,
    table: Arc<Table>,
}

impl TaskTable {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), &["task"])?)
        };
        let runs =
            Opts::new("strongroom_task_runs_total", "Runs of background tasks that ended: ok, error, panic.");
        Ok(Self(Arc::new(Table {
            runs: registered(registry, IntCounterVec::new(runs, &["task", "result"])?)?,
            up: gauge(
                "strongroom_task_up",
                "0 while a background task has panicked, keeps failing or is stalled.",
            )?,
            last_success: gauge(
                "strongroom_task_last_success_timestamp_seconds",
                "When a background task last succeeded, by the clock of this machine.",
            )?,
            tasks: Mutex::default(),
        })))
    }

    /// Adds a task. `max_run`: a run that takes longer is reported as stalled.
    pub fn register(&self, name: &'static str, max_run: Option<Duration>) -> TaskStatus {
        let state = Arc::default();
        lock(&self.0.tasks).insert(name, Entry { state: Arc::clone(&state), max_run });
        for result in ["ok", "error", "panic"] {
            self.0.runs.with_label_values(&[name, result]);
        }
        TaskStatus { name, state, table: Arc::clone(&self.0) }
    }

    /// Returns the tasks that can't do their work at present, in the order of their names.
    pub fn problems(&self) -> Vec<(&'static str, TaskProblem)> {
        let now = Instant::now();
        let tasks = lock(&self.0.tasks);
        tasks.iter().filter_map(|(name, task)| Some((*name, task.problem(now)?))).collect()
    }

    /// Sets the gauges that change with time.
    pub(super) fn update_gauges(&self) {
        let now = Instant::now();
        for (name, task) in &*lock(&self.0.tasks) {
            self.0.up.with_label_values(&[*name]).set(i64::from(task.problem(now).is_none()));
        }
    }
}

impl Entry {
    fn problem(&self, now: Instant) -> Option<TaskProblem> {
        lock(&self.state).problem(self.max_run, now)
    }
}

impl TaskStatus {
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs `work` once. Catches a panic: the values that `work` has borrowed must be usable or replaced afterwards.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, TaskFailure>>) -> Result<T, RunError> {
        self.start();
        #[cfg_attr(
            not(feature = "failpoints"),
            expect(clippy::redundant_async_block, reason = "without the feature the failpoint is nothing")
        )]
        let work = async {
            fail_point!("task", self.name);
            work.await
        };
        self.end(AssertUnwindSafe(work).catch_unwind().await)
    }

    /// Runs `work` once, on this thread; otherwise like [`run`](Self::run).
    pub fn run_blocking<T>(&self, work: impl FnOnce() -> Result<T, TaskFailure>) -> Result<T, RunError> {
        self.start();
        let work = || {
            fail_point!("task", self.name);
            work()
        };
        self.end(catch_unwind(AssertUnwindSafe(work)))
    }

    /// Forgets all failures of this task, because another task does the work that failed.
    pub fn clear(&self) {
        lock(&self.state).clear();
    }

    fn start(&self) {
        lock(&self.state).start(Instant::now());
    }

    fn end<T>(&self, result: std::thread::Result<Result<T, TaskFailure>>) -> Result<T, RunError> {
        let name = self.name;
        let mut state = lock(&self.state);
        match result {
            Ok(Ok(done)) => {
                state.end(RunResult::Ok, Instant::now());
                if state.is_news(None) {
                    log::info!("task {name}: it works again");
                }
                self.count("ok");
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
                self.table.last_success.with_label_values(&[name]).set(seconds);
                Ok(done)
            }
            Ok(Err(failure)) => {
                let result = if failure.is_outage { RunResult::Outage } else { RunResult::Error };
                state.end(result, Instant::now());
                // An outage is logged once, however its text changes.
                let reason = if failure.is_outage { "outage" } else { &failure.text };
                if !failure.is_logged && state.is_news(Some(reason)) {
                    log::warn!("task {name}: {failure}; trying again");
                }
                self.count("error");
                Err(RunError::Failed(failure))
            }
            Err(panic) => {
                state.end(RunResult::Panic, Instant::now());
                let text = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or(panic.downcast_ref::<String>().map(String::as_str));
                let text = format!("panicked: {}", text.unwrap_or("without a message"));
                if state.is_news(Some(&text)) {
                    log::error!("task {name} {text}; it is started again");
                }
                self.count("panic");
                Err(RunError::Panicked(state.panics))
            }
        }
    }

    fn count(&self, result: &str) {
        self.table.runs.with_label_values(&[self.name, result]).inc();
    }
}

/// Locks a mutex, also after a holder has panicked: each change is a single assignment, so nothing is left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
