//! Settings that stop the start.

mod account;
mod check;
mod env_file;
mod invalid_values;
mod secrets;
