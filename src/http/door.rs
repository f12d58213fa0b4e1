//! Closing the listener without losing anybody.
//!
//! A closed listener resets connections that the kernel has made and nobody has accepted yet, and a server that
//! stops drops those whose first request it has not read. Behind a proxy both are uploads that fail, because a
//! proxy must not repeat what it has begun to send. So first the kernel is told to overlook new connections
//! (they are not refused; who asks for one asks again after a second), those that are there are let in and heard,
//! and only then the listener is closed. From then on the kernel refuses.
//!
//! Meanwhile each answer says that its connection will be closed: keep-alive clients go, instead of sending into a
//! connection that is about to end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockFilter, SockRef};
use tokio::time::{Instant, sleep};

/// For who has a connection and has not been heard yet. Less than the second after which a connection that was
/// overlooked is tried again, so that it finds the listener closed.
const HEARD: Duration = Duration::from_millis(500);
/// For who waits to be accepted: a server with all the connections that it can have accepts nobody.
const ACCEPTED: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A classic BPF program over a TCP segment: what has the SYN flag is dropped, the rest gets through.
const NO_SYN: [SockFilter; 4] = [
    SockFilter::new(0x30, 0, 0, 13),       // load the byte with the flags
    SockFilter::new(0x45, 0, 1, 0x02),     // SYN?
    SockFilter::new(0x06, 0, 0, 0),        // nothing of it is kept
    SockFilter::new(0x06, 0, 0, u32::MAX), // all of it is
];

/// The listener's own handle on its socket.
pub struct Door {
    listener: TcpListener,
    closing: Arc<AtomicBool>,
}

impl Door {
    pub fn of(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self { listener: listener.try_clone()?, closing: Arc::default() })
    }

    /// Whether answers shall be the last ones of their connections.
    pub fn closing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closing)
    }

    /// Returns when the server can be told to stop listening.
    pub async fn close(self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Err(error) = SockRef::from(&self.listener).attach_filter(&NO_SYN) {
            log::debug!("hold new connections off: {error}");
        }
        let start = Instant::now();
        while start.elapsed() < HEARD || (self.somebody_waits() && start.elapsed() < ACCEPTED) {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether there is a connection that was not accepted yet.
    fn somebody_waits(&self) -> bool {
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut listener, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}
