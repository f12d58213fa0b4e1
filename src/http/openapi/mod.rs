//! Describes responses for the OpenAPI document.

pub mod answers;
pub mod examples;
mod headers;
