//! The systems that a caller may see: lists, details, totals, and changes.
//!
//! * `query.rs`, `cursor.rs` - what a list shows, and where its next page begins
//! * `list.rs`, `export.rs` - pages of systems
//! * `show.rs` - one system, its limits and its usage
//! * `manage.rs` - new systems, changes, new secrets
//! * `totals.rs` - how many systems have which status
//! * `status_counts.rs` - the same for the metrics

mod cursor;
mod export;
mod list;
mod manage;
mod query;
mod show;
mod status_counts;
mod totals;

pub use export::Export;
pub use list::SystemList;
pub use manage::{Credential, SystemToAdd};
pub use query::SystemQuery;
pub use show::SystemDetails;
pub use status_counts::StatusCountsCache;
pub use totals::Totals;
