//! Black-box tests: the real binary over HTTP, with a real Postgres, and a real store folder or, with
//! `STRONGROOM_TEST_STORE=s3`, a bucket of an S3 engine. `script/test` runs them.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine/mod.rs"]
mod engine;
#[macro_use]
mod harness;

mod activity;
mod agent;
mod auth;
mod backup_requests;
mod cli;
mod connections;
mod deletion;
mod docs;
mod download;
mod events;
mod history;
mod hostile;
mod links;
mod management;
mod migrations;
mod monitoring;
mod postgres;
mod quota;
mod rate;
mod s3;
mod settings;
mod shutdown;
mod status;
mod store;
mod support;
mod systems;
mod tls;
mod upload;
mod usage;
