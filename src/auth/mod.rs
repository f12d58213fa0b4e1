//! Who calls, and what they may do: [`basic`] for systems (a key and a secret), [`bearer`] for portals (a token).

pub mod basic;
pub mod bearer;
