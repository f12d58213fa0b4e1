//! Tasks with a thread of their own: work that must not wait for other work, on a connection of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Supervisor, TaskDefinition};
use crate::telemetry::{RunError, TaskFailure, TaskStatus};

/// Work that a thread repeats.
pub(in crate::tasks) trait ThreadTask: 'static {
    fn run_once(&mut self) -> Result<(), TaskFailure>;

    /// Called once when the thread is stopped.
    fn stop(self);
}

/// A handle to the thread. Dropping it stops the thread without waiting for its end.
pub struct SupervisedThread {
    stop: Option<Sender<()>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Supervisor {
    /// Starts a thread that repeats the work that `make` returns, until the handle is stopped. After a panic the work is
    /// dropped, and `make` is called again.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(in crate::tasks) fn start_thread<T: ThreadTask>(
        &self,
        task: TaskDefinition,
        make: impl Fn() -> T + Send + 'static,
    ) -> std::io::Result<SupervisedThread> {
        let status = self.table.register(task.name, task.max_run);
        let (stop, stopped) = channel();
        let (ending, ended) = channel();
        let repeat = move || {
            let _ending = ending;
            repeat(task, &status, &stopped, make);
        };
        thread::Builder::new().name(task.name.to_owned()).spawn(repeat)?;
        Ok(SupervisedThread { stop: Some(stop), ended })
    }
}

fn repeat<T: ThreadTask>(
    task: TaskDefinition,
    status: &TaskStatus,
    stopped: &Receiver<()>,
    make: impl Fn() -> T,
) {
    let mut work: Option<T> = None;
    let mut delay = task.period.first_delay();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(delay) {
        let started = Instant::now();
        let result = status.run_blocking(|| work.get_or_insert_with(&make).run_once());
        if let Err(RunError::Panicked(_)) = result {
            let panicked = work.take();
            // The drop may panic as well, because of the first panic. The status already shows that one.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(panicked)));
        }
        let Some(next) = task.period.next(&result, started.elapsed(), task.max_restart_delay) else { return };
        delay = next;
    }
    let _ = catch_unwind(AssertUnwindSafe(|| work.map(T::stop)));
}

impl SupervisedThread {
    /// Stops the thread, and waits for its end for at most `timeout`: a query that hangs must not hold up the end of the
    /// process. Returns whether the thread has ended.
    pub(in crate::tasks) fn stop(&mut self, timeout: Duration) -> bool {
        self.stop.take();
        !matches!(self.ended.recv_timeout(timeout), Err(RecvTimeoutError::Timeout))
    }
}
