//! An engine that fails, at each kind of call and in each way: every answer comes in time and is true, nothing
//! is left, and the next call works.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine/mod.rs"]
mod engine;

mod fixture;
mod put;
mod read;
