//! Which program this is: its version, and the commit that it was built from (`build.rs`).

/// The version, as in `Cargo.toml`.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The short hash of the commit, with `-dirty` if the sources were changed after it; `unknown` if the program was built
/// without a repository.
pub const COMMIT: &str = env!("STRONGROOM_BUILD_COMMIT");

/// The version with the commit and its day, if they are known: `0.2.0 (abc1234def, 2026-11-26)`.
pub const FULL: &str = env!("STRONGROOM_BUILD_VERSION");
