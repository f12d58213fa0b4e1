//! The members of a system in the body of a request.

use crate::domain::period::{self, InvalidPeriod};
use crate::http::errors::ApiError;

/// The longest name in characters.
pub const MAX_NAME: usize = 200;

pub const INVALID_NAME: &str = "must be 1 to 200 characters, and none of them a control character";

/// Checks a name for people.
pub fn name(text: String) -> Result<String, ApiError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= MAX_NAME;
    if fits && !text.contains(char::is_control) {
        Ok(text)
    } else {
        Err(ApiError::invalid("name", INVALID_NAME))
    }
}

/// Checks a period of which `member` has the seconds.
pub fn period(member: &'static str, seconds: u64) -> Result<i64, ApiError> {
    period::check(seconds).map_err(|error: InvalidPeriod| ApiError::invalid(member, error.to_string()))
}
