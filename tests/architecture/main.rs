//! The rules of the architecture, as far as a test can check them.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

mod circles;
mod files;
mod imports;
mod layers;
mod references;
mod settings;
mod source;
mod status;
mod wording;
