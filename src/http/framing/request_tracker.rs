//! Where in the connection's requests the next byte is, and whether it may be handed on.

use super::chunks::{Chunks, Scanned};
use super::exchange::Exchange;
use super::head::{self, Framing, Head};
use super::malformed::Fault;

/// The place in a connection's stream of requests.
#[derive(Debug)]
pub(super) enum Place {
    /// At the start of a head. What there is of it is not handed on before it is complete.
    Head,
    /// In a request of which so many bytes are still to come.
    Length(u64),
    /// In a head of which so many bytes are still to come, before a chunked body.
    HeadOfChunks(u64),
    Chunks(Chunks),
    /// Behind a request whose answer has not been encoded.
    Answer,
    /// Behind the last request. What comes is discarded.
    Discard,
    /// At a head that is refused.
    Refused(Fault),
    /// At a malformed chunk.
    Broken(Fault),
}

/// Follows the requests of a connection.
pub(super) struct Requests {
    pub place: Place,
}

impl Requests {
    pub fn new() -> Self {
        Self { place: Place::Head }
    }

    /// How many of the next bytes may be handed on. The rest has to be given again, with what follows it, when there
    /// is more of a head, or when the answer has been encoded.
    pub fn admit(&mut self, bytes: &mut [u8], exchange: &Exchange) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            let taken = match &mut self.place {
                Place::Head => match head::read(rest) {
                    Ok(None) => return at,
                    Ok(Some(head)) => {
                        exchange.begin();
                        self.place = after(&head);
                        0
                    }
                    Err(fault) => {
                        self.place = Place::Refused(fault);
                        return at;
                    }
                },
                Place::Length(left) => {
                    let taken = take(left, rest.len());
                    if *left == 0 {
                        self.place = Place::Answer;
                    }
                    taken
                }
                Place::HeadOfChunks(left) => {
                    let taken = take(left, rest.len());
                    if *left == 0 {
                        self.place = Place::Chunks(Chunks::new());
                    }
                    taken
                }
                Place::Chunks(chunks) => match chunks.scan(rest) {
                    Scanned::All => rest.len(),
                    Scanned::End(end) => {
                        self.place = Place::Answer;
                        end
                    }
                    Scanned::Broken(good, fault) => {
                        exchange.break_body(fault);
                        self.place = Place::Broken(fault);
                        good
                    }
                },
                Place::Answer if exchange.is_answering() => return at,
                Place::Answer if exchange.is_last() => {
                    self.place = Place::Discard;
                    return at;
                }
                Place::Answer => {
                    self.place = Place::Head;
                    0
                }
                Place::Discard | Place::Refused(_) | Place::Broken(_) => return at,
            };
            at += taken;
        }
        at
    }
}

/// What is left of a request whose head has been read.
fn after(head: &Head) -> Place {
    let length = head.length as u64;
    match head.framing {
        Framing::Length(body) => Place::Length(length.saturating_add(body)),
        Framing::Chunked => Place::HeadOfChunks(length),
    }
}

/// Takes as many of `left` bytes as there are.
fn take(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).map_or(there, |left| left.min(there));
    *left -= taken as u64;
    taken
}
