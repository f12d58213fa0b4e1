//! Passes one request at a time to actix-http.
//!
//! actix-http reads ahead. It keeps what it knows of a request (whether it was `HEAD`, its version, whether the connection
//! is kept alive) per connection. So if it parses the next request before it has written the response to this one, it
//! overwrites that state: a response loses its body, or gets the wrong `Connection` header. It also answers malformed heads
//! without a body, treats a malformed chunk like a client that has disconnected, and cannot ignore an upgrade. So a
//! [`SequentialStream`] lies between the connection and the library:
//!
//! 1. It holds back a head until the head is complete, and refuses a malformed or ambiguous one: it writes the response
//!    itself, after all earlier responses, and the library sees the end of the stream.
//! 2. It follows the body to its end. If a chunk is malformed, the library sees the end of the stream, and the handler
//!    learns from [`Exchange::malformed_body`] that the client is still connected and can be answered.
//! 3. It holds back what follows the request until the response has been encoded, which is when the response's body is
//!    dropped ([`one_request_at_a_time`]). If the response was the connection's last one, what follows is discarded.
//!
//! The library still parses everything that it receives, in the order in which it arrived. The stream adds nothing, omits
//! nothing before the point where it ends, and overwrites only the option `upgrade` of `Connection`. A bug here could
//! delay a request or end a connection. It could not make two requests of one.

mod chunks;
mod error_response;
mod exchange;
mod head;
mod malformed;
mod malformed_log;
mod request_tracker;
mod sequential_stream;

pub use exchange::{Exchange, one_request_at_a_time};
pub use malformed_log::MalformedRequestLog;
pub use sequential_stream::SequentialStream;
