//! Black-box tests: the real binary over HTTP, on a real Postgres, with a real store folder, or with
//! `STRONGROOM_TEST_STORE=s3` on a bucket of an S3 engine. Run by `script/test`.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

#[path = "../engine/mod.rs"]
mod engine;
#[macro_use]
mod harness;

mod agent;
mod agent_patience;
mod appliance;
mod auth;
mod batches;
mod body_clocks;
mod bucket;
mod cli_audit_large;
mod cli_audit_store;
mod cli_backups;
mod cli_exit;
mod cli_races;
mod cli_sweep;
mod cli_sweep_orphans;
mod cli_tenants;
mod cli_tokens;
mod companions;
mod concurrency;
mod crash;
mod credentials;
mod damage;
mod delete;
mod digests;
mod docs;
mod download;
mod early;
mod engine_trouble;
mod framing;
mod guessing;
mod health;
mod hostile;
mod hostile_cases;
mod https;
mod limits;
mod list;
mod manage_foreign;
mod manage_gateway;
mod manage_keys;
mod manage_keys_tls;
mod manage_links;
mod manage_links_s3;
mod manage_outage;
mod manage_requests;
mod manage_systems;
mod manage_tokens;
mod mcp;
mod metrics;
mod names;
mod no_room;
mod openapi;
mod openapi_manage;
mod postgres_commit;
mod postgres_gone;
mod postgres_locks;
mod postgres_takeover;
mod purge;
mod race;
mod ranges;
mod rate;
mod requests_cli;
mod requests_header;
mod requests_life;
mod requests_poll;
mod retention;
mod routes;
mod schema;
mod secrets;
mod settings;
mod shutdown;
mod smuggling;
mod store_trouble;
mod stuck;
mod support;
mod unchanged;
mod upload;
mod vanish;
mod window;
