//! TLS: certificates, keys, handshakes.

mod files;
mod handshakes;
mod serving;
