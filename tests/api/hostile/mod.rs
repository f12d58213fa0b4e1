//! Malformed and malicious requests.

mod framing;
mod malformed_requests;
mod random_requests;
mod request_generator;
mod smuggling;
