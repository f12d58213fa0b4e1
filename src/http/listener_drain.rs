//! Drains a listener before it is closed, so that no client loses a request.
//!
//! When a listener is closed, the kernel resets the connections that it has established and that the server has not
//! accepted yet. When a server stops, it drops the connections whose first request it has not read. Behind a proxy each of
//! these is a failed upload, because a proxy must not repeat what it has begun to send. So the order is:
//! 1. A filter on the socket makes the kernel ignore new connections. The kernel does not refuse them: a client whose SYN
//!    is ignored sends it again after a second.
//! 2. The server accepts the established connections and reads their first requests.
//! 3. The listener is closed, and the kernel refuses new connections.
//!
//! Meanwhile each response says `Connection: close`, so that keep-alive clients leave instead of sending into a connection
//! that is about to end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockFilter, SockRef};
use tokio::time::{Instant, sleep};

/// How long accepted connections have to send their first request. It is shorter than the second after which a client
/// sends an ignored SYN again, so that the second SYN finds the listener closed.
pub(super) const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest wait until all connections are accepted. A server that has reached its limit of connections accepts none.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A classic BPF program over a TCP segment. It drops segments with the SYN flag and keeps all others.
const DROP_SYN: [SockFilter; 4] = [
    SockFilter::new(0x30, 0, 0, 13),       // load the byte with the flags
    SockFilter::new(0x45, 0, 1, 0x02),     // SYN?
    SockFilter::new(0x06, 0, 0, 0),        // drop the segment
    SockFilter::new(0x06, 0, 0, u32::MAX), // keep all of it
];

/// A second handle on a listener's socket, with which it is drained while the server owns the first handle.
pub struct ListenerDrain {
    listener: TcpListener,
    begun: Arc<AtomicBool>,
}

impl ListenerDrain {
    pub fn new(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self { listener: listener.try_clone()?, begun: Arc::default() })
    }

    /// A flag that becomes true when draining begins. Each later response is the last one of its connection.
    pub fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }

    /// Drains the listener. Afterwards the server can be stopped.
    pub async fn run(self) {
        self.begun.store(true, Ordering::Relaxed);
        if let Err(error) = SockRef::from(&self.listener).attach_filter(&DROP_SYN) {
            log::debug!("could not make the listener ignore new connections: {error}");
        }
        let start = Instant::now();
        while start.elapsed() < FIRST_REQUEST_TIMEOUT
            || (self.has_unaccepted() && start.elapsed() < ACCEPT_TIMEOUT)
        {
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether there is an established connection that the server has not accepted yet.
    fn has_unaccepted(&self) -> bool {
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut listener, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}
