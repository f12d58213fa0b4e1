//! Shared by all suites: random values that a seed repeats, waiting, and namespaces.

#![allow(dead_code, unused_imports, reason = "each suite uses some of it")]

pub mod namespaces;
mod random;
mod wait;

pub use random::{Random, content, seconds};
pub use wait::{assert_eventually, eventually, wait_for};

/// Returns the checkout that cargo tests. Read when the test runs: checkouts that share a target directory may share a test binary.
pub fn repository() -> std::path::PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR").into()
}
