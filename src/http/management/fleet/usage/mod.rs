//! `/api/systems/trend` and `/api/organizations/{id}/usage`: what organizations use, by day and by month.

pub mod month;
pub mod trend;
