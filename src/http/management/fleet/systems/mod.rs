//! `/api/systems/{id}`: systems, for those who manage them.

pub mod erasure;
