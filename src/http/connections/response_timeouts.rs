//! Gives up on a client that takes nothing of an answer, or too little of it.
//!
//! actix-http asks the body of a response for more only when the socket has taken what there was. So a client that does
//! not read leaves the body, and whatever that holds, as it is; only the stream below notices. The limits are those of
//! uploads, and so is the rule that only time spent waiting for the client counts: the clocks run while the socket has no
//! room. While a slow store is waited for there is nothing to write, and they rest.
//!
//! What counts is what the client's machine has acknowledged, not what the socket has taken: the kernel makes room in
//! steps of up to a third of a buffer of megabytes, for which a client on a slow link may need longer than it may be idle.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::stream::ByteStream;
use crate::domain::body_rate::BodyRateCheck;
use crate::domain::client_network::ClientNetwork;
use crate::http::log_limit::LogLimit;

/// What a client has to take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait for it to take anything (`BACKUP_BODY_IDLE_TIMEOUT`).
    pub idle_timeout: Duration,
    /// Fewest bytes a second over any minute of waiting (`BACKUP_BODY_MIN_RATE`; 0: off).
    pub min_rate: u64,
}

/// The longest time between two looks at what the client has taken, while it is waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What ends the answer under way early, whatever the client does; shared by a connection and the handlers of its requests.
#[derive(Clone, Default)]
pub struct End(Rc<RefCell<Option<CancellationToken>>>);

impl End {
    fn has_come(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(CancellationToken::is_cancelled)
    }
}

/// Closes the connection when `end` is cancelled in the middle of this request's answer.
pub fn end_with(request: &HttpRequest, end: CancellationToken) {
    if let Some(End(current)) = request.conn_data::<End>() {
        current.replace(Some(end));
    }
}

/// A stream that fails when its client takes too little.
pub struct Patient {
    stream: ByteStream,
    limits: Limits,
    given_up: Arc<LogLimit>,
    end: End,
    /// `None` until the client is waited for: most never are.
    waits: Option<Box<Waits>>,
}

/// Why an answer is not sent to its end.
enum Why {
    Revoked,
    /// The client has taken nothing for so long.
    Idle(Duration),
    /// It has taken fewer bytes a second than these.
    Slow(u64),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked => {
                f.write_str("access was revoked (system suspended, secret rotated, or system destroyed)")
            }
            Self::Idle(time) => {
                write!(f, "the client read nothing for {} s (BACKUP_BODY_IDLE_TIMEOUT)", time.as_secs())
            }
            Self::Slow(rate) => {
                write!(
                    f,
                    "the client read less than {rate} bytes a second for a minute (BACKUP_BODY_MIN_RATE)"
                )
            }
        }
    }
}

/// What is known of the client since it was first waited for.
struct Waits {
    /// Since when it is waited for; `None`: it is not.
    since: Option<Instant>,
    /// How long it was waited for since the last look.
    waited: Duration,
    /// How long it was waited for, looks without any progress together.
    idle: Duration,
    /// Bytes that the stream has taken.
    written: i64,
    /// How many of them the client had taken at the last look.
    taken: i64,
    clock: BodyRateCheck,
    next_look: Pin<Box<Sleep>>,
}

impl Patient {
    pub fn new(stream: ByteStream, limits: Limits, given_up: Arc<LogLimit>) -> Self {
        Self { stream, limits, given_up, end: End::default(), waits: None }
    }

    /// For the handlers of the connection's requests.
    pub fn end(&self) -> End {
        self.end.clone()
    }

    fn polled<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        written: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(result) => {
                if let (Some(waits), Ok(done)) = (&mut self.waits, &result) {
                    waits.end(written(done));
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(context).map(Err),
        }
    }

    /// The client is waited for. Ready with the reason when it is given up.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Self { stream, limits, given_up, end, waits } = self;
        let pause = LOOK_EVERY.min(limits.idle_timeout / 4);
        let waits = waits.get_or_insert_with(|| Box::new(Waits::new(*limits, queued(stream), pause)));
        waits.since.get_or_insert_with(Instant::now);
        let mut why = end.has_come().then_some(Why::Revoked);
        while why.is_none() && waits.next_look.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            why = waits.look(queued(stream), now, *limits);
            waits.next_look.as_mut().reset(now + pause);
        }
        let Some(why) = why else { return Poll::Pending };
        let tcp = stream.tcp();
        let peer = tcp.peer_addr().ok();
        if given_up.admits(ClientNetwork::of(peer.map(|peer| peer.ip())), std::time::Instant::now()) {
            let peer = peer.map_or_else(|| "an unknown address".to_owned(), |peer| peer.to_string());
            log::info!("response to {peer} aborted: {why} (logged once a minute for each address)");
        }
        // A reset: what still lies in the socket is not worth the memory, and the client must not take it for the end.
        if let Err(error) = SockRef::from(tcp).set_linger(Some(Duration::ZERO)) {
            log::debug!("make the connection end with a reset: {error}");
        }
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, why.to_string()))
    }
}

impl Waits {
    fn new(limits: Limits, queued: i64, pause: Duration) -> Self {
        Self {
            since: None,
            waited: Duration::ZERO,
            idle: Duration::ZERO,
            written: 0,
            taken: -queued,
            clock: BodyRateCheck::new(limits.min_rate),
            next_look: Box::pin(sleep(pause)),
        }
    }

    /// The stream has taken so many bytes: the client is not waited for any more.
    fn end(&mut self, written: usize) {
        self.written = self.written.saturating_add_unsigned(written as u64);
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Looks at what the client has taken, while it is waited for. `queued`: what of the written bytes it has not.
    fn look(&mut self, queued: i64, now: Instant, limits: Limits) -> Option<Why> {
        let since = self.since.replace(now).unwrap_or(now);
        let waited = std::mem::take(&mut self.waited) + now.saturating_duration_since(since);
        let taken = self.written - queued;
        let progress = taken - std::mem::replace(&mut self.taken, taken);
        self.clock.waited(waited);
        self.clock.received(u64::try_from(progress).unwrap_or(0));
        // Under TLS what is queued may grow while nothing new is taken: then there was room, so the client has taken some.
        self.idle = if progress == 0 { self.idle + waited } else { Duration::ZERO };
        if self.idle >= limits.idle_timeout {
            Some(Why::Idle(limits.idle_timeout))
        } else if self.clock.too_slow() {
            Some(Why::Slow(limits.min_rate))
        } else {
            None
        }
    }
}

/// The bytes that lie in the socket, unsent or not acknowledged by the client's machine.
fn queued(stream: &ByteStream) -> i64 {
    i64::from(super::stream::unacknowledged(stream.tcp()))
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.polled(context, polled, |written| *written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.polled(context, polled, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        this.polled(context, polled, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        this.polled(context, polled, |()| 0)
    }
}
