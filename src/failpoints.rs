//! Named points at which a process can be made to die or to stop, for the tests in `tests/crash`. Compiled in
//! with the feature `failpoints` alone; without it `fail_point!` is nothing at all.
//!
//! `STRONGROOM_FAILPOINT="kill NAME"` kills the process with SIGKILL when it comes to `NAME`, as a power cut or
//! the kernel would; `"stop NAME"` stops it with SIGSTOP; `"kill NAME 3"` the third time it comes there.

/// Marks a point. Names are `ROOM_OR_JOB.WHAT_HAS_JUST_BEEN_DONE`.
#[cfg(feature = "failpoints")]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::failpoints::reached($name)
    };
}

#[cfg(not(feature = "failpoints"))]
macro_rules! fail_point {
    ($name:literal) => {};
}

#[cfg(feature = "failpoints")]
pub use armed::reached;

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    const VARIABLE: &str = "STRONGROOM_FAILPOINT";

    struct Point {
        name: String,
        signal: Signal,
        /// How often it is still to be passed, this time included.
        left: AtomicU64,
    }

    /// Says that the process is at this point, and may not come back.
    pub fn reached(name: &str) {
        static POINT: OnceLock<Option<Point>> = OnceLock::new();
        let point = POINT.get_or_init(|| std::env::var(VARIABLE).ok().as_deref().and_then(parse));
        if let Some(point) = point.as_ref().filter(|point| point.name == name)
            && point.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            log::warn!("fail point {name}");
            let _ = kill_process(getpid(), point.signal);
            // The signal goes to the process, and this thread must not get further before it arrives.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn parse(text: &str) -> Option<Point> {
        let mut words = text.split_whitespace();
        let signal = match words.next()? {
            "stop" => Signal::STOP,
            _ => Signal::KILL,
        };
        let name = words.next()?.to_owned();
        let left = AtomicU64::new(words.next().map_or(Some(1), |count| count.parse().ok())?);
        Some(Point { name, signal, left })
    }
}
