//! Errors: the table from errors to status codes, and the two shapes in which they are sent.

mod api_error;
pub mod data;
pub mod gateway;
pub mod gateway_codes;
mod outage_log;

pub use api_error::{ApiError, NOT_A_FORM};
