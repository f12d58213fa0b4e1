//! The values of header fields: pure functions that parse, write and check them.

pub mod authorization;
pub mod conditional;
pub mod digest;
pub mod forwarded;
pub mod host;
pub mod range;
pub mod unsupported;
