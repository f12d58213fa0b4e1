//! Draining a listener before it is closed, so that no client loses a request.
//!
//! Closing a listener resets the connections that the kernel has established and the server has not accepted yet,
//! and a server that stops drops the connections whose first request it has not read. Behind a proxy either one is
//! an upload that fails, because a proxy must not repeat what it has begun to send. So the order is:
//! 1. The kernel is told to ignore new connections. It does not refuse them: a client whose SYN was ignored sends it
//!    again after a second.
//! 2. The connections that are there are accepted, and their first requests are read.
//! 3. The listener is closed. From then on the kernel refuses.
//!
//! Meanwhile each answer says `Connection: close`, so that keep-alive clients go, instead of sending into a
//! connection that is about to end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockFilter, SockRef};
use tokio::time::{Instant, sleep};

/// How long accepted connections have to send their first request. Shorter than the second after which an ignored SYN
/// is sent again, so that the second one finds the listener closed.
pub(super) const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest wait for connections to be accepted: a server that has all the connections it may have accepts none.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A classic BPF program over a TCP segment: segments with the SYN flag are dropped, all others get through.
const DROP_SYN: [SockFilter; 4] = [
    SockFilter::new(0x30, 0, 0, 13),       // load the byte with the flags
    SockFilter::new(0x45, 0, 1, 0x02),     // SYN?
    SockFilter::new(0x06, 0, 0, 0),        // drop the segment
    SockFilter::new(0x06, 0, 0, u32::MAX), // keep all of it
];

/// A second handle on a listener's socket, for draining it while the server still owns the first.
pub struct ListenerDrain {
    listener: TcpListener,
    begun: Arc<AtomicBool>,
}

impl ListenerDrain {
    pub fn of(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self { listener: listener.try_clone()?, begun: Arc::default() })
    }

    /// Becomes true when draining begins: from then on an answer is the last one of its connection.
    pub fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }

    /// Drains the listener. Afterwards the server can be told to stop.
    pub async fn run(self) {
        self.begun.store(true, Ordering::Relaxed);
        if let Err(error) = SockRef::from(&self.listener).attach_filter(&DROP_SYN) {
            log::debug!("ignore new connections: {error}");
        }
        let start = Instant::now();
        while start.elapsed() < FIRST_REQUEST_TIMEOUT
            || (self.has_unaccepted() && start.elapsed() < ACCEPT_TIMEOUT)
        {
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether there is a connection that has not been accepted yet.
    fn has_unaccepted(&self) -> bool {
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut listener, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}
