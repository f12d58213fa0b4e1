//! Shared by all suites: random values that a seed repeats, and waiting.

#![allow(dead_code, unused_imports, reason = "each suite uses some of it")]

mod random;
mod wait;

pub use random::{Random, content, seconds};
pub use wait::{assert_eventually, eventually, wait_for};
