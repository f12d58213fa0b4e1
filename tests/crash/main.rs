//! The real binary upload_killed_at at every step of what it does, and the next process puts everything right: nothing that was
//! answered `201` is lost, nothing is left of the rest, and the totals are right. Needs the feature `failpoints`
//! (src/failpoints.rs); run by `script/test`, on a bucket with `STRONGROOM_TEST_STORE=s3`.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine/mod.rs"]
mod engine;
#[macro_use]
#[path = "../api/harness/mod.rs"]
mod harness;

mod crash_fixture;
mod panics;
mod paused;
mod points;
mod purge_panics;
mod random;
mod removal;
mod sweep;
mod upload;
