//! One request at a time: what actix-http gets to read of a connection.
//!
//! actix-http reads ahead. What it has found out about a request (whether it was `HEAD`, its version, whether the connection
//! is kept) it keeps for the connection, so that the next request, parsed while the answer to this one is not yet
//! written, overwrites it: an answer loses its body, or gets the wrong connection header. It also answers malformed
//! heads without a body, takes a malformed chunk for a client that has left, and can't ignore an upgrade. So
//! [`SequentialStream`] lies between the connection and the library:
//!
//! 1. A head is held back until it is complete, and refused if it is malformed or ambiguous: the answer is written here,
//!    when all earlier answers are written, and the library sees the end of the stream.
//! 2. The body is followed to its end. Where a chunk is malformed, the library sees the end of the stream, and the
//!    handler learns from [`Exchange::malformed_body`] that the client is still there to be answered.
//! 3. What comes behind the request is held back until its answer has been encoded: until the response's body is dropped
//!    ([`one_request_at_a_time`]). If the answer was the connection's last one, what comes behind it is discarded.
//!
//! The library parses all that it gets itself, and gets it in the order in which it came. Nothing is added, nothing is
//! left out before the place where the stream ends, and only the option `upgrade` of `Connection` is overwritten. A mistake
//! in here could delay a request or end a connection. It could not make two requests of one.

mod chunks;
mod error_answer;
mod exchange;
mod head;
mod malformed;
mod malformed_log;
mod request_tracker;
mod sequential_stream;

pub use exchange::{Exchange, one_request_at_a_time};
pub use malformed_log::MalformedRequestLog;
pub use sequential_stream::SequentialStream;
