//! S3 engines that fail, at the start and under uploads.

mod engine_failures;
mod startup;
