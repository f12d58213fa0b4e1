//! The middlewares around the routes.

pub mod backup_requested;
pub mod cors;
pub mod request_record;
pub mod stray_slashes;
pub mod unread_body;
