//! Settings that stop the start.

mod check;
mod invalid_values;
mod secrets;
