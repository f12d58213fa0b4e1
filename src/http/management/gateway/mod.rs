//! `/backup/{siteId}`: the gateway API. A site is a system, and a file is a backup, named by its id.

pub mod list;
pub mod request_backup;
pub mod show;
