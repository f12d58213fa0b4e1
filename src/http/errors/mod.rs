//! Error responses.
//!
//! Use cases return their own errors; [`conversions`] maps them to [`ApiError`]s, and [`api_error`] maps those to status
//! codes. An error is sent in the envelope of the collect API, or under `/backup` in the shape of the gateway API
//! ([`gateway`], with the codes of [`gateway_codes`]).

mod api_error;
mod conversions;
pub mod data;
pub mod gateway;
pub mod gateway_codes;
mod outage_log;

pub use api_error::{ApiError, NOT_A_FORM};
pub use conversions::{CANNOT_MOVE, INVALID_CURSOR};
