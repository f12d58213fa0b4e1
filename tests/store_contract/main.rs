//! The contract of `BlobStore`, run against every implementation.
//!
//! `contract` says what every store must do; each store's own module makes a [`Subject`](fixture::Subject) of
//! it, runs the contract, and tests what is special to that store.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;
mod contract;
#[path = "../engine/mod.rs"]
mod engine;
mod fixture;
mod local;
mod s3;
