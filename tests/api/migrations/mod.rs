//! The schema and its migrations.

mod locks;
pub mod schema;
