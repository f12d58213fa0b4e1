//! A thread that repeats its work until it is stopped: for work that must not wait behind anything else, on a
//! connection of its own.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// What such a thread does.
pub(super) trait Repeated: Send + 'static {
    /// Does it once, and says how long to pause until the next time.
    fn run(&mut self) -> Duration;

    /// Called once when the thread is stopped.
    fn end(self);
}

/// A handle on the thread. It does not end by itself.
pub(super) struct RepeatingThread {
    stop: Option<Sender<()>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl RepeatingThread {
    pub(super) fn start(name: &str, mut work: impl Repeated) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let (ending, ended) = channel();
        let repeat = move || {
            let _ending = ending;
            let mut pause = Duration::ZERO;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                pause = work.run();
            }
            work.end();
        };
        thread::Builder::new().name(name.to_owned()).spawn(repeat)?;
        Ok(Self { stop: Some(stop), ended })
    }

    /// Stops it, and waits for its end for so long: a query that hangs must not hold the end of the process up.
    /// Says whether it has ended.
    pub(super) fn stop(&mut self, patience: Duration) -> bool {
        self.stop.take();
        !matches!(self.ended.recv_timeout(patience), Err(RecvTimeoutError::Timeout))
    }
}
