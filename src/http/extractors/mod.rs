//! Who sends a request: credentials and client address, as parameters of handlers.

mod basic;
pub mod bearer;
pub mod client_address;
