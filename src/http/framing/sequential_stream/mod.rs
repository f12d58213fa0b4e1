//! The byte stream that the library reads and writes.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::error_response;
use super::exchange::Exchange;
use super::head;
use super::malformed_log::MalformedRequestLog;
use super::request_tracker::{Position, RequestTracker};

/// The most bytes after a request that are read before the response to that request is encoded.
const MAX_READ_AHEAD: usize = 8 * 1024;
/// How long a client that is still sending may take to read its last response. If the connection were closed at once, the
/// kernel would answer what the client sends with a reset, which could overtake the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(8);

/// A connection from which the library reads one request at a time.
pub struct SequentialStream<S> {
    stream: S,
    exchange: Rc<Exchange>,
    tracker: RequestTracker,
    /// Bytes that have been read and that the library has not received.
    held: BytesMut,
    /// How many of the held bytes the library may have.
    admitted: usize,
    /// Whether the library receives nothing more: the client has closed its side, or has sent a malformed request.
    ended: bool,
    reported: bool,
    closing: Option<Closing>,
    malformed_log: Arc<MalformedRequestLog>,
    peer: IpAddr,
}

/// What remains to be done before the connection can be closed.
struct Closing {
    response: Bytes,
    timeout: Pin<Box<Sleep>>,
    write_side_closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> SequentialStream<S> {
    pub fn new(stream: S, peer: IpAddr, malformed_log: Arc<MalformedRequestLog>) -> Self {
        Self {
            stream,
            exchange: Rc::default(),
            tracker: RequestTracker::new(),
            held: BytesMut::new(),
            admitted: 0,
            ended: false,
            reported: false,
            closing: None,
            malformed_log,
            peer,
        }
    }

    /// The stream that this one wraps.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The exchange, for the handlers of the connection's requests.
    pub fn exchange(&self) -> Rc<Exchange> {
        Rc::clone(&self.exchange)
    }

    /// Admits those of the held bytes that the library may have.
    fn admit_held(&mut self) {
        self.admitted += self.tracker.admit(&mut self.held[self.admitted..], &self.exchange);
        self.act_on_position();
    }

    /// Discards the held bytes, or ends the stream, if the position requires it.
    fn act_on_position(&mut self) {
        if matches!(self.tracker.position, Position::Discard) {
            self.held.truncate(self.admitted);
        }
        if let Position::MalformedHead(error) | Position::MalformedBody(error) = self.tracker.position
            && !self.reported
        {
            (self.ended, self.reported) = (true, true);
            self.malformed_log.report(error, self.peer);
        }
    }

    /// Moves admitted bytes to the library's buffer.
    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) {
        let part = self.held.split_to(self.admitted.min(buffer.remaining()));
        buffer.put_slice(&part);
        self.admitted -= part.len();
        drop(part);
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }

    /// Inspects what was read into `buffer` from `start` on, and holds back what the library may not have yet.
    fn inspect_read(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        let received = &mut buffer.filled_mut()[start..];
        let good = if self.held.is_empty() {
            let good = self.tracker.admit(received, &self.exchange);
            self.held.extend_from_slice(&received[good..]);
            self.act_on_position();
            good
        } else {
            // A head is parsed again only when a line of it has ended, so that a slow head is not parsed for each byte.
            let may_be_complete =
                received.contains(&b'\n') || self.held.len() + received.len() >= head::MAX_LENGTH;
            self.held.extend_from_slice(received);
            if may_be_complete {
                self.admit_held();
            }
            0
        };
        buffer.set_filled(start + good);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SequentialStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buffer.filled().len();
        loop {
            if this.admitted == 0
                && matches!(this.tracker.position, Position::AwaitingResponse)
                && !this.exchange.is_responding()
            {
                this.admit_held();
            }
            if this.admitted > 0 {
                this.deliver(buffer);
                return Poll::Ready(Ok(()));
            }
            let waits_for_response =
                matches!(this.tracker.position, Position::AwaitingResponse) && this.exchange.is_responding();
            if waits_for_response {
                this.exchange.wake_when_encoded(context);
            }
            if this.ended {
                // The end comes after what is held back and after the whole request. If the library read it together
                // with the rest of a body, it would take it for the end of that body.
                return if waits_for_response { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if waits_for_response && this.held.len() >= MAX_READ_AHEAD {
                return Poll::Pending;
            }
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if buffer.filled().len() == start {
                this.ended = true;
                continue;
            }
            this.inspect_read(buffer, start);
            if buffer.filled().len() > start {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SequentialStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.closing.is_some() {
            // The response to a malformed head has been written; this is the library's own response to a slow head.
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    /// Writes the response to a malformed head and closes the connection. If the client may still be sending, discards
    /// what it sends until it has closed the connection, too.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let response = match this.tracker.position {
            Position::MalformedHead(error) => error_response::encode(error),
            Position::MalformedBody(_) | Position::Discard => Bytes::new(),
            _ if !this.held.is_empty() => Bytes::new(),
            _ => return Pin::new(&mut this.stream).poll_shutdown(context),
        };
        let closing = this.closing.get_or_insert_with(|| Closing {
            response,
            timeout: Box::pin(sleep(LINGER_TIMEOUT)),
            write_side_closed: false,
        });
        if closing.timeout.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while closing.response.has_remaining() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(context, &closing.response))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            closing.response.advance(written);
        }
        if !closing.write_side_closed {
            ready!(Pin::new(&mut this.stream).poll_flush(context))?;
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            closing.write_side_closed = true;
        }
        loop {
            let mut space = [0; 4096];
            let mut discarded = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut discarded))?;
            if discarded.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
