//! Requests that are not well-formed or not well-meant.

mod framing;
mod malformed_requests;
mod random_requests;
mod request_generator;
mod smuggling;
