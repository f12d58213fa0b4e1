//! The real binary is killed at every step of its work, and the next process repairs everything: no backup that
//! was answered `201` is lost, nothing of other uploads is left, and the totals are right. Needs the feature
//! `failpoints` (`src/failpoints.rs`). `script/test` runs this suite; with `STRONGROOM_TEST_STORE=s3` it uses a
//! bucket.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine/mod.rs"]
mod engine;
#[macro_use]
#[path = "../api/harness/mod.rs"]
mod harness;

mod crash_fixture;
mod demand_panics;
mod destroy_command;
mod erasure;
mod erasure_by_portal;
mod facts;
mod panics;
mod paused;
mod points;
mod purge_panics;
mod random;
mod removal;
mod sweep;
mod sweep_panics;
mod upload;
