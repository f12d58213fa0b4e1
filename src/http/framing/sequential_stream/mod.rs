//! The stream of bytes that the library reads and writes.

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

use super::error_answer;
use super::exchange::Exchange;
use super::head;
use super::malformed_log::MalformedRequestLog;
use super::request_tracker::{Position, RequestTracker};

/// The most that is read of what comes behind a request before its answer is there.
const AHEAD: usize = 8 * 1024;
/// How long a client that is still sending may take to read its last answer. If the connection were closed at once, what it
/// sends would be answered with a reset, and that could overtake the answer.
const LINGER: Duration = Duration::from_secs(8);

/// A connection of which the library gets one request at a time to read.
pub struct SequentialStream<S> {
    stream: S,
    exchange: Rc<Exchange>,
    tracker: RequestTracker,
    /// What has been read and not been handed on.
    held: BytesMut,
    /// How much of it may be handed on.
    admitted: usize,
    /// The library gets nothing more: the client sends nothing more, or what it sends is broken.
    ended: bool,
    reported: bool,
    closing: Option<Closing>,
    malformed_log: Arc<MalformedRequestLog>,
    peer: IpAddr,
}

/// What is left to be done before the connection can be closed.
struct Closing {
    answer: Bytes,
    until: Pin<Box<Sleep>>,
    no_more_writes: bool,
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

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// What the handlers need of it.
    pub fn exchange(&self) -> Rc<Exchange> {
        Rc::clone(&self.exchange)
    }

    /// Looks at what is held, as far as that was not done.
    fn admit_held(&mut self) {
        self.admitted += self.tracker.admit(&mut self.held[self.admitted..], &self.exchange);
        self.settle();
    }

    /// Does what follows from the position that has been reached.
    fn settle(&mut self) {
        if matches!(self.tracker.position, Position::Discard) {
            self.held.truncate(self.admitted);
        }
        if let Position::Refused(error) | Position::Broken(error) = self.tracker.position
            && !self.reported
        {
            (self.ended, self.reported) = (true, true);
            self.malformed_log.report(error, self.peer);
        }
    }

    /// Hands on what may be handed on of what is held.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let part = self.held.split_to(self.admitted.min(buffer.remaining()));
        buffer.put_slice(&part);
        self.admitted -= part.len();
        drop(part);
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }

    /// Looks at what was read into `buffer` from `start` on, and holds back what may not be handed on yet.
    fn take_in(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        let came = &mut buffer.filled_mut()[start..];
        let good = if self.held.is_empty() {
            let good = self.tracker.admit(came, &self.exchange);
            self.held.extend_from_slice(&came[good..]);
            self.settle();
            good
        } else {
            // More of a head is worth a look only if a line of it ends. That keeps slow heads from being parsed for each byte.
            let worth_a_look = came.contains(&b'\n') || self.held.len() + came.len() >= head::LONGEST;
            self.held.extend_from_slice(came);
            if worth_a_look {
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
                && matches!(this.tracker.position, Position::Answer)
                && !this.exchange.is_answering()
            {
                this.admit_held();
            }
            if this.admitted > 0 {
                this.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            let waits = matches!(this.tracker.position, Position::Answer) && this.exchange.is_answering();
            if waits {
                this.exchange.wake_when_answered(context);
            }
            if this.ended {
                // The end is behind what is held back, and behind the whole request: the library would take an end that
                // it reads together with the rest of a body for the body's.
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if waits && this.held.len() >= AHEAD {
                return Poll::Pending;
            }
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if buffer.filled().len() == start {
                this.ended = true;
                continue;
            }
            this.take_in(buffer, start);
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
            // The library's own answer to a slow head, after that to a broken one.
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    /// Writes the answer to a head that was refused, and closes the connection. While the client may be sending, it
    /// discards what comes until the client has closed it, too.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let answer = match this.tracker.position {
            Position::Refused(error) => error_answer::answer(error),
            Position::Broken(_) | Position::Discard => Bytes::new(),
            _ if !this.held.is_empty() => Bytes::new(),
            _ => return Pin::new(&mut this.stream).poll_shutdown(context),
        };
        let closing = this.closing.get_or_insert_with(|| Closing {
            answer,
            until: Box::pin(sleep(LINGER)),
            no_more_writes: false,
        });
        if closing.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while closing.answer.has_remaining() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(context, &closing.answer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            closing.answer.advance(written);
        }
        if !closing.no_more_writes {
            ready!(Pin::new(&mut this.stream).poll_flush(context))?;
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            closing.no_more_writes = true;
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
