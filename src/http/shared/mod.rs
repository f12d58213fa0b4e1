//! What both APIs use: the metadata of a backup, the response with its bytes, the route of signed downloads; JSON bodies and queries.

pub mod backup_id_path;
pub mod backup_metadata;
pub mod backup_response;
pub mod deleted;
pub mod json_body;
pub mod query;
pub mod signed_downloads;
