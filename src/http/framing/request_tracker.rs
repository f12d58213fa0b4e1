//! Tracks the requests of a connection: which of them the next byte belongs to, and whether the library may have it.

use super::chunks::{ChunkedBody, ScanResult};
use super::exchange::Exchange;
use super::head::{self, Framing, Head};
use super::malformed::MalformedRequest;

/// The position in the connection's requests.
#[derive(Debug)]
pub(super) enum Position {
    /// At the start of a head, which is held back until it is complete.
    Head,
    /// In a request with this many remaining bytes.
    Length(u64),
    /// In the head of a request with a chunked body; the head has this many remaining bytes.
    HeadOfChunks(u64),
    Chunks(ChunkedBody),
    /// After a request whose response has not been encoded.
    AwaitingResponse,
    /// After the last request. All later bytes are discarded.
    Discard,
    /// At a malformed head.
    MalformedHead(MalformedRequest),
    /// In a body, at a malformed chunk.
    MalformedBody(MalformedRequest),
}

/// Tracks the requests of a connection.
pub(super) struct RequestTracker {
    pub position: Position,
}

impl RequestTracker {
    pub fn new() -> Self {
        Self { position: Position::Head }
    }

    /// Returns how many of the next bytes the library may have. The caller passes the rest again, with what follows it,
    /// when more of a head has arrived or when the response has been encoded.
    pub fn admit(&mut self, bytes: &mut [u8], exchange: &Exchange) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            let taken = match &mut self.position {
                Position::Head => match head::parse(rest) {
                    Ok(None) => return at,
                    Ok(Some(head)) => {
                        exchange.begin();
                        self.position = position_after(&head);
                        0
                    }
                    Err(error) => {
                        self.position = Position::MalformedHead(error);
                        return at;
                    }
                },
                Position::Length(left) => {
                    let taken = subtract(left, rest.len());
                    if *left == 0 {
                        self.position = Position::AwaitingResponse;
                    }
                    taken
                }
                Position::HeadOfChunks(left) => {
                    let taken = subtract(left, rest.len());
                    if *left == 0 {
                        self.position = Position::Chunks(ChunkedBody::new());
                    }
                    taken
                }
                Position::Chunks(chunks) => match chunks.scan(rest) {
                    ScanResult::Continues => rest.len(),
                    ScanResult::End(end) => {
                        self.position = Position::AwaitingResponse;
                        end
                    }
                    ScanResult::Malformed(good, error) => {
                        exchange.set_malformed_body(error);
                        self.position = Position::MalformedBody(error);
                        good
                    }
                },
                Position::AwaitingResponse if exchange.is_responding() => return at,
                Position::AwaitingResponse if exchange.is_last() => {
                    self.position = Position::Discard;
                    return at;
                }
                Position::AwaitingResponse => {
                    self.position = Position::Head;
                    0
                }
                Position::Discard | Position::MalformedHead(_) | Position::MalformedBody(_) => return at,
            };
            at += taken;
        }
        at
    }
}

/// The position after a head has been parsed.
fn position_after(head: &Head) -> Position {
    let length = head.length as u64;
    match head.framing {
        Framing::Length(body) => Position::Length(length.saturating_add(body)),
        Framing::Chunked => Position::HeadOfChunks(length),
    }
}

/// Subtracts the available bytes from `left`, and returns how many were subtracted.
fn subtract(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= taken as u64;
    taken
}
