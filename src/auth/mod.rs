//! Authenticates callers: [`basic`] for systems (a key and a secret), [`bearer`] for portals (a token).

pub mod basic;
pub mod bearer;
