//! Settings that stop the start.

mod invalid_values;
mod secrets;
