//! The sender of a request as parameters of handlers: credential and address.

pub mod basic;
pub mod bearer;
pub mod remote_addr;
