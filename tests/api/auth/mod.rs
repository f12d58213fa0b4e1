//! Authentication of systems, and the answers to wrong credentials.

mod basic;
mod credential_changes;
mod guessed_credentials;
pub mod rotation_overlap;
mod secrets_in_logs;
