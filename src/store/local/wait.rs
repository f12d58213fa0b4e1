//! Waits on a blocking thread for something that other threads do.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future, at most so long. Blocks.
///
/// The runtime's timers would wake one of its threads for each wait, because no other timer is due so soon.
pub(super) fn wait_at_most<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let mut until = None;
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return Some(result);
        }
        let now = Instant::now();
        let left = until.get_or_insert(now + limit).saturating_duration_since(now);
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_another_thread_sends_ends_the_wait() {
        let (sender, receiver) = oneshot::channel();
        let sends = thread::spawn(move || sender.send(7));
        assert_eq!(wait_at_most(LONG, receiver), Some(Ok(7)));
        sends.join().unwrap().unwrap();
    }

    #[test]
    fn a_wait_ends_in_time() {
        assert_eq!(wait_at_most(Duration::from_millis(1), future::pending::<()>()), None);
        assert_eq!(wait_at_most(Duration::ZERO, future::ready(7)), Some(7));
    }
}
