//! What support staff see with SQL.

mod guide;
mod privileges;
mod query_plans;
mod views;
