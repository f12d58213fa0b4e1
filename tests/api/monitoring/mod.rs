//! Health, metrics, and systemd.

pub mod health;
mod metrics;
mod systemd;
