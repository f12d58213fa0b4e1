//! Describes responses for the OpenAPI document.
//!
//! A handler's file describes the responses of its handler with these builders. [`crate::http::docs`] makes the document
//! of all descriptions.

pub mod common_errors;
pub mod examples;
mod response_headers;
pub mod responses;
pub mod schemas;
