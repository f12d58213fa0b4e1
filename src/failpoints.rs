//! Named points at which the tests in `tests/crash` make a process die, stop or panic. They are compiled in with the feature
//! `failpoints` alone; without it `fail_point!` expands to nothing.
//!
//! The variable `STRONGROOM_FAILPOINT` arms one point:
//!
//! * `kill NAME` kills the process with SIGKILL when it reaches `NAME`, as a power cut or the kernel would.
//! * `stop NAME` stops it with SIGSTOP.
//! * `panic NAME` makes the thread panic.
//!
//! A number after the name (`kill NAME 3`) says at which time the process reaches the point this happens, once; the default
//! is 1. `panic NAME while FILE` panics each time for as long as `FILE` exists.

/// Marks a point. Names are `MODULE_OR_TASK.STEP_JUST_DONE`; the supervisor's are `task.NAME`.
#[cfg(feature = "failpoints")]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::failpoints::reached($name)
    };
    ($prefix:literal, $name:expr) => {
        $crate::failpoints::reached(&format!("{}.{}", $prefix, $name))
    };
}

#[cfg(not(feature = "failpoints"))]
macro_rules! fail_point {
    ($name:literal) => {};
    ($prefix:literal, $name:expr) => {};
}

#[cfg(feature = "failpoints")]
pub use armed::reached;

#[cfg(feature = "failpoints")]
mod armed {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    const VARIABLE: &str = "STRONGROOM_FAILPOINT";

    struct Point {
        name: String,
        action: Action,
        times: Times,
    }

    enum Action {
        Send(Signal),
        Panic,
    }

    enum Times {
        /// Once, when this many passages are left, the current one included.
        Once(AtomicU64),
        /// Each time while this file exists.
        While(PathBuf),
    }

    impl Times {
        fn is_now(&self) -> bool {
            match self {
                Self::Once(left) => left.fetch_sub(1, Ordering::Relaxed) == 1,
                Self::While(file) => file.exists(),
            }
        }
    }

    /// Reports that the process has reached this point, and may not return.
    pub fn reached(name: &str) {
        static POINT: OnceLock<Option<Point>> = OnceLock::new();
        let point = POINT.get_or_init(|| std::env::var(VARIABLE).ok().as_deref().and_then(parse));
        let Some(point) = point.as_ref().filter(|point| point.name == name && point.times.is_now()) else {
            return;
        };
        log::warn!("failpoint {name}");
        match point.action {
            Action::Send(signal) => {
                let _ = kill_process(getpid(), signal);
                // The signal goes to the process, and this thread must not get further before it arrives.
                std::thread::sleep(Duration::from_millis(100));
            }
            Action::Panic => std::panic::panic_any(format!("failpoint {name}")),
        }
    }

    fn parse(text: &str) -> Option<Point> {
        let mut words = text.split_whitespace();
        let action = match words.next()? {
            "stop" => Action::Send(Signal::STOP),
            "panic" => Action::Panic,
            _ => Action::Send(Signal::KILL),
        };
        let name = words.next()?.to_owned();
        let times = match words.next() {
            None => Times::Once(AtomicU64::new(1)),
            Some("while") => Times::While(words.next()?.into()),
            Some(count) => Times::Once(AtomicU64::new(count.parse().ok()?)),
        };
        Some(Point { name, action, times })
    }
}
