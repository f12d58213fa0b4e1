//! Who may call: credentials of systems, and what is said of wrong ones.

mod basic;
mod credential_changes;
mod guessed_credentials;
mod secrets_in_logs;
