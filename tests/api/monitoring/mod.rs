//! Health, metrics, the version, and systemd.

mod access_log;
pub mod health;
mod journal;
mod metrics;
mod systemd;
mod version;
