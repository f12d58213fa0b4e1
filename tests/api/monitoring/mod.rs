//! Health, metrics, the version, and systemd.

pub mod health;
mod metrics;
mod systemd;
mod version;
