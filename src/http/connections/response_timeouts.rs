//! Aborts the response to a client that reads nothing, or too slowly.
//!
//! actix-http polls the body of a response only when the socket has accepted the bytes before. So if a client does not
//! read, the body is not polled and keeps all that it holds; only the stream below it can notice. The limits are those of
//! uploads, and so is the rule that only time spent waiting for the client counts: the clocks run while the socket's
//! buffer is full. While the service waits for a slow store, there is nothing to write and the clocks stop.
//!
//! Progress is measured in bytes that the client's machine has acknowledged, not in bytes that the socket has accepted.
//! The kernel frees space in steps of up to a third of a buffer of megabytes, and a client on a slow link may need longer
//! for one step than it may be idle.

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

/// How fast a client must read a response.
#[derive(Debug, Clone, Copy)]
pub struct ResponseTimeouts {
    /// The longest wait for the client to read anything (`BACKUP_BODY_IDLE_TIMEOUT`).
    pub idle_timeout: Duration,
    /// The lowest rate in bytes a second over any minute of waiting (`BACKUP_BODY_MIN_RATE`; 0: off).
    pub min_rate: u64,
}

/// The longest time between two checks of what the client has read, while the stream waits for it.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A signal that aborts the current response, whatever the client does. A connection and the handlers of its requests share
/// it.
#[derive(Clone, Default)]
pub struct AbortSignal(Rc<RefCell<Option<CancellationToken>>>);

impl AbortSignal {
    fn is_raised(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(CancellationToken::is_cancelled)
    }
}

/// Aborts the response to this request, and closes the connection, when `cancelled` is cancelled before its end.
pub fn abort_response_when(request: &HttpRequest, cancelled: CancellationToken) {
    if let Some(AbortSignal(current)) = request.conn_data::<AbortSignal>() {
        current.replace(Some(cancelled));
    }
}

/// A stream whose writes fail when its client reads too slowly.
pub struct TimeoutStream {
    stream: ByteStream,
    timeouts: ResponseTimeouts,
    abort_log: Arc<LogLimit>,
    abort_signal: AbortSignal,
    /// `None` until the stream waits for the client for the first time. Most streams never do.
    wait_state: Option<Box<WaitState>>,
}

/// Why a response is aborted.
enum AbortReason {
    Revoked,
    /// The client has read nothing for this time.
    Idle(Duration),
    /// The client has read fewer bytes a second than this.
    Slow(u64),
}

impl fmt::Display for AbortReason {
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

/// What the stream knows about the client since it first waited for it.
struct WaitState {
    /// When the current wait began; `None` between waits.
    since: Option<Instant>,
    /// The time spent waiting since the last check.
    waited: Duration,
    /// The time spent waiting since the last progress.
    idle: Duration,
    /// Bytes that the socket has accepted.
    written: i64,
    /// How many of those bytes the client had acknowledged at the last check.
    acknowledged: i64,
    rate: BodyRateCheck,
    next_check: Pin<Box<Sleep>>,
}

impl TimeoutStream {
    pub fn new(stream: ByteStream, timeouts: ResponseTimeouts, abort_log: Arc<LogLimit>) -> Self {
        Self { stream, timeouts, abort_log, abort_signal: AbortSignal::default(), wait_state: None }
    }

    /// The signal, for the handlers of the connection's requests.
    pub fn abort_signal(&self) -> AbortSignal {
        self.abort_signal.clone()
    }

    /// Ends the wait if the operation is ready, and waits for the client otherwise. `written` returns the bytes that the socket
    /// has accepted.
    fn track_wait<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        written: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(result) => {
                if let (Some(state), Ok(done)) = (&mut self.wait_state, &result) {
                    state.end(written(done));
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(context).map(Err),
        }
    }

    /// Waits for the client. Returns the error when the response is aborted.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Self { stream, timeouts, abort_log, abort_signal, wait_state } = self;
        let pause = CHECK_INTERVAL.min(timeouts.idle_timeout / 4);
        let state =
            wait_state.get_or_insert_with(|| Box::new(WaitState::new(*timeouts, queued(stream), pause)));
        state.since.get_or_insert_with(Instant::now);
        let mut reason = abort_signal.is_raised().then_some(AbortReason::Revoked);
        while reason.is_none() && state.next_check.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            reason = state.check(queued(stream), now, *timeouts);
            state.next_check.as_mut().reset(now + pause);
        }
        let Some(reason) = reason else { return Poll::Pending };
        let tcp = stream.tcp();
        let peer = tcp.peer_addr().ok();
        if abort_log.admits(ClientNetwork::of(peer.map(|peer| peer.ip())), std::time::Instant::now()) {
            let peer = peer.map_or_else(|| "an unknown address".to_owned(), |peer| peer.to_string());
            log::info!("response to {peer} aborted: {reason} (logged once a minute for each address)");
        }
        // End the connection with a reset: it frees what is still in the socket, and the client cannot take it for a regular end.
        if let Err(error) = SockRef::from(tcp).set_linger(Some(Duration::ZERO)) {
            log::debug!("could not end the connection with a reset: {error}");
        }
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, reason.to_string()))
    }
}

impl WaitState {
    fn new(timeouts: ResponseTimeouts, queued: i64, pause: Duration) -> Self {
        Self {
            since: None,
            waited: Duration::ZERO,
            idle: Duration::ZERO,
            written: 0,
            acknowledged: -queued,
            rate: BodyRateCheck::new(timeouts.min_rate),
            next_check: Box::pin(sleep(pause)),
        }
    }

    /// Ends the current wait: the socket has accepted `written` bytes.
    fn end(&mut self, written: usize) {
        self.written = self.written.saturating_add_unsigned(written as u64);
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Checks what the client has read during the wait. `queued`: how many of the written bytes it has not acknowledged.
    fn check(&mut self, queued: i64, now: Instant, timeouts: ResponseTimeouts) -> Option<AbortReason> {
        let since = self.since.replace(now).unwrap_or(now);
        let waited = std::mem::take(&mut self.waited) + now.saturating_duration_since(since);
        let acknowledged = self.written - queued;
        let progress = acknowledged - std::mem::replace(&mut self.acknowledged, acknowledged);
        self.rate.waited(waited);
        self.rate.received(u64::try_from(progress).unwrap_or(0));
        // With TLS, `queued` may grow although the socket accepted nothing from us. Then the socket had space, so the client has read
        // something: any change of `acknowledged` counts as progress.
        self.idle = if progress == 0 { self.idle + waited } else { Duration::ZERO };
        if self.idle >= timeouts.idle_timeout {
            Some(AbortReason::Idle(timeouts.idle_timeout))
        } else if self.rate.too_slow() {
            Some(AbortReason::Slow(timeouts.min_rate))
        } else {
            None
        }
    }
}

/// The number of bytes in the socket that are not sent, or not acknowledged by the client's machine.
fn queued(stream: &ByteStream) -> i64 {
    i64::from(super::stream::unacknowledged(stream.tcp()))
}

impl AsyncRead for TimeoutStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TimeoutStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.track_wait(context, polled, |written| *written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.track_wait(context, polled, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        this.track_wait(context, polled, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        this.track_wait(context, polled, |()| 0)
    }
}
