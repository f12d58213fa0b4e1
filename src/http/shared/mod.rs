//! What both APIs use: the metadata of a backup, the response with its bytes, and the route of signed downloads.

pub mod backup_id_path;
pub mod backup_metadata;
pub mod backup_response;
pub mod deleted;
pub mod signed_downloads;
