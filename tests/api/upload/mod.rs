//! Uploads: which are stored, which are refused, and what a broken one leaves.

mod accepted;
mod at_once;
mod body_timeouts;
mod client_disconnect;
mod content_headers;
mod damaged_by_client;
mod digests;
mod early_answers;
mod fast_bodies;
mod filenames;
mod unchanged;
