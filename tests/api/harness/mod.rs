//! What all API tests use: a database and a store folder for each test, the real binary as a process, clients
//! that can also break off or send invalid requests, and checks of what is left afterwards.

#![allow(dead_code, unused_imports, unused_macros, reason = "each suite uses some of it")]

mod answer;
mod api_document;
mod appliance;
mod cli;
mod client;
mod cluster;
mod curl;
mod database;
mod database_role;
mod journal;
mod link_fault;
mod metrics;
mod nginx;
mod os;
mod pgbouncer;
mod postgres_link;
mod process;
mod provider;
mod requests;
mod server;
mod server_builder;
mod snapshot;
#[macro_use]
mod store;
mod raw_client;
mod terminal;
mod tls;
mod tokens;
mod totals;

pub use crate::common::{Random, assert_eventually, content, eventually, seconds, wait_for};
pub use answer::{Answer, BASIC, MALFORMED_CREDENTIAL, WRONG_CREDENTIAL};
pub use api_document::ApiDocument;
pub use appliance::Appliance;
pub use cli::{Output, System, clean, plain_command, run};
pub use client::{Request, basic};
pub use cluster::Cluster;
pub use curl::{Curl, big_file};
pub use database::Database;
pub use database_role::DatabaseRole;
pub use journal::Journal;
pub use link_fault::{ConnectionEnd, LinkFault};
pub use metrics::sample;
pub use nginx::Nginx;
pub use os::{Disconnect, allow_descriptors, is_root, signal};
pub use pgbouncer::PgBouncer;
pub use postgres_link::PostgresLink;
pub use provider::Provider;
pub use raw_client::{RawClient, bare_head, chunk, head};
pub use requests::{REQUESTS, request_ids};
pub use server::Server;
pub use server_builder::Builder;
pub use store::{Store, on_s3};
pub use terminal::run_at_terminal;
pub use tls::{Authority, Certificate};
pub use tokens::{AUDIENCE, ISSUER, Login, SigningKey, changed, claims, encode, hs256, key_set, now, token};
pub use totals::SetOnDrop;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the result of an immediate action may take: enough for a busy machine, and less than the interval of
/// the background tasks.
pub const PROMPT_TIMEOUT: Duration = Duration::from_secs(4);
/// For everything without a limit of its own: long enough for a busy machine, short enough to fail.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The address for uploads.
pub const BACKUPS: &str = "/api/systems/backups";

/// Returns random bytes: the same in every run, and different in each call.
pub fn bytes(len: usize) -> Vec<u8> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    content(SEED.fetch_add(1, Ordering::Relaxed), len)
}

/// SHA-256 in lower-case hex, as the API shows it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

/// SHA-256 in base64 as a structured field item, as `Content-Digest` carries it: `sha-256=:...:`.
pub fn digest_field(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", base64(&sha256(bytes)))
}

pub fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

/// Returns a number that is unique in this process, for names.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
