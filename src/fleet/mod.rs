//! The use cases about the fleet: systems and organizations, for those who manage them. No HTTP, no SQL.
//!
//! * `erase.rs` - destroys a system, and says how far that is
//! * `systems/` - lists, details, totals, changes of systems
//! * `limits.rs` - the limits that apply to each system
//! * `organizations.rs` - the organizations that a caller may see: list, add, change
//! * `events.rs` - the history
//! * `usage.rs` - what organizations have used, by day and by month
//! * `error.rs` - why a use case failed

mod erase;
mod error;
mod events;
mod limits;
mod organizations;
mod systems;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

pub use error::FleetError;
pub use events::{EventPage, EventPosition, EventQuery, EventRow};
pub use limits::SystemLimits;
pub use organizations::{OrgPage, OrgQuery};
pub use usage::MonthlyUsage;

pub use systems::{
    Credential, Export, StatusCountsCache, SystemDetails, SystemList, SystemQuery, SystemToAdd, Totals,
};

use crate::db::Db;
pub use crate::db::erasures::ErasureStatus;
pub use crate::db::organizations::OrgSummary as Organization;
pub use crate::db::systems::{Sort, SortKey, SystemChange, SystemSummary};
pub use crate::db::usage_days::{UsageDay, UsageTotals};

/// What the use cases about the fleet need.
pub struct Fleet {
    pub db: Db,
    /// The limits in force of each system.
    pub limits: SystemLimits,
    /// Wakes the erasure of systems.
    pub erase: Arc<Notify>,
    /// The number of systems by status, for the metrics.
    pub status_counts: StatusCountsCache,
}

/// How long a use case waits for a database that can't be reached: callers are people and programs that try again.
pub const TIMEOUT: Duration = Duration::from_secs(4);
