//! The schema and its migrations.

mod locks;
mod schema;
