//! Where in the connection's requests the next byte is, and whether it may be handed on.

use super::chunks::{ChunkedBody, ScanResult};
use super::exchange::Exchange;
use super::head::{self, Framing, Head};
use super::malformed::MalformedRequest;

/// The position in a connection's stream of requests.
#[derive(Debug)]
pub(super) enum Position {
    /// At the start of a head. What there is of it is not handed on before it is complete.
    Head,
    /// In a request of which so many bytes are still to come.
    Length(u64),
    /// In a head of which so many bytes are still to come, before a chunked body.
    HeadOfChunks(u64),
    Chunks(ChunkedBody),
    /// Behind a request whose answer has not been encoded.
    Answer,
    /// Behind the last request. What comes is discarded.
    Discard,
    /// At a head that is refused.
    Refused(MalformedRequest),
    /// At a malformed chunk.
    Broken(MalformedRequest),
}

/// Follows the requests of a connection.
pub(super) struct RequestTracker {
    pub position: Position,
}

impl RequestTracker {
    pub fn new() -> Self {
        Self { position: Position::Head }
    }

    /// How many of the next bytes may be handed on. The rest has to be given again, with what follows it, when there
    /// is more of a head, or when the answer has been encoded.
    pub fn admit(&mut self, bytes: &mut [u8], exchange: &Exchange) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            let taken = match &mut self.position {
                Position::Head => match head::read(rest) {
                    Ok(None) => return at,
                    Ok(Some(head)) => {
                        exchange.begin();
                        self.position = after(&head);
                        0
                    }
                    Err(error) => {
                        self.position = Position::Refused(error);
                        return at;
                    }
                },
                Position::Length(left) => {
                    let taken = take(left, rest.len());
                    if *left == 0 {
                        self.position = Position::Answer;
                    }
                    taken
                }
                Position::HeadOfChunks(left) => {
                    let taken = take(left, rest.len());
                    if *left == 0 {
                        self.position = Position::Chunks(ChunkedBody::new());
                    }
                    taken
                }
                Position::Chunks(chunks) => match chunks.scan(rest) {
                    ScanResult::All => rest.len(),
                    ScanResult::End(end) => {
                        self.position = Position::Answer;
                        end
                    }
                    ScanResult::Broken(good, error) => {
                        exchange.break_body(error);
                        self.position = Position::Broken(error);
                        good
                    }
                },
                Position::Answer if exchange.is_answering() => return at,
                Position::Answer if exchange.is_last() => {
                    self.position = Position::Discard;
                    return at;
                }
                Position::Answer => {
                    self.position = Position::Head;
                    0
                }
                Position::Discard | Position::Refused(_) | Position::Broken(_) => return at,
            };
            at += taken;
        }
        at
    }
}

/// What is left of a request whose head has been read.
fn after(head: &Head) -> Position {
    let length = head.length as u64;
    match head.framing {
        Framing::Length(body) => Position::Length(length.saturating_add(body)),
        Framing::Chunked => Position::HeadOfChunks(length),
    }
}

/// Takes as many of `left` bytes as there are.
fn take(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).map_or(there, |left| left.min(there));
    *left -= taken as u64;
    taken
}
