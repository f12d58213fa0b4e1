//! What support staff see with SQL.

mod privileges;
mod query_plans;
mod views;
