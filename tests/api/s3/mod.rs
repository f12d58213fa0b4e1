//! S3 engines that fail, at the start and during uploads.

mod engine_failures;
mod startup;
