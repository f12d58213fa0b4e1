//! The use cases: upload, list, download, delete, request. Appliances use them for their own backups, portals for the
//! backups of the systems that they may see. No HTTP, no SQL.
//!
//! * `upload/` - from the admission to the commit, or to the abort
//! * `list/`, `download/`, `links/` - stored backups, and their downloads
//! * `delete.rs` - hides a backup; the purge deletes its object
//! * `unchanged.rs`, `heartbeat.rs` - record that a configuration is unchanged, and that an appliance is alive
//! * `refused_lately.rs` - the refusals that the database may not have yet
//! * `backup_requests/` - how a backup is requested, and how the appliance learns of the request
//! * `visible_systems.rs` - the systems that a portal may see
//! * `health.rs` - whether the dependencies work

mod backup_requests;
mod delete;
mod download;
mod error;
mod event_limit;
mod health;
mod heartbeat;
mod id_generator;
mod links;
mod list;
mod refused_lately;
mod unchanged;
mod upload;
mod visible_systems;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use backup_requests::Waiters;
pub use download::{DownloadKey, DownloadStream, OpenDownloads, Reader};
pub use error::{BackupRequestError, Dependency, DownloadError, Outage, ReadError, UploadError};
pub use event_limit::EventLimit;
pub use health::{Health, LastHealth};
pub use id_generator::IdGenerator;
pub use links::{Link, Links, ResolvedLink, SignedLink};
pub use list::SharedLists;
pub use refused_lately::RefusedLately;
pub use upload::{Aborter, AtOnce, BodySender, LiveUploads, UploadHandle, UploadHead};
pub use visible_systems::VisibleSystem;

use crate::actors::{OrgActors, RateRefusalCache};
use crate::auth::basic::Authenticator;
use crate::db::Db;
pub use crate::db::backup_lists::ListedBackup;
pub use crate::db::backup_requests::BackupRequest;
pub use crate::db::backups::BackupRow as Backup;
use crate::domain::failure_reason::FailureReason;
use crate::store::BlobStore;
use crate::telemetry::Metrics;

/// The limits of an upload's body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// The largest body in bytes (`BACKUP_MAX_UPLOAD_SIZE`).
    pub max_upload: u64,
    /// The longest wait for the next bytes (`BACKUP_BODY_IDLE_TIMEOUT`).
    pub idle_timeout: Duration,
    /// The fewest bytes a second over any minute of waiting (`BACKUP_BODY_MIN_RATE`; 0: off).
    pub min_rate: u64,
}

/// The service without its HTTP: everything that the use cases need.
pub struct Vault {
    pub db: Db,
    pub store: Arc<dyn BlobStore>,
    pub orgs: OrgActors,
    pub rate_refusals: RateRefusalCache,
    pub authenticator: Authenticator,
    pub limits: BodyLimits,
    pub links: Links,
    /// The downloads under way.
    pub downloads: OpenDownloads,
    /// Limits the events of downloads.
    pub recorded_downloads: EventLimit<DownloadKey>,
    pub ids: IdGenerator,
    pub aborter: Aborter,
    pub live: LiveUploads,
    /// Limits the events of failed uploads, by system and reason.
    pub failed_uploads: EventLimit<(Uuid, FailureReason)>,
    pub refused_lately: RefusedLately,
    pub at_once: AtOnce,
    /// Reads the lists of backups.
    pub lists: SharedLists,
    /// The appliances that wait for a backup request.
    pub waiters: Waiters,
    /// Wakes the purge.
    pub purge: Arc<Notify>,
    /// The runtime on which uploads run, independent of their connections.
    pub runtime: Handle,
    /// The tasks that a shutdown waits for.
    pub tasks: TaskTracker,
    /// Whether `tasks::prepare` has finished with the schema and the store.
    pub ready: Arc<AtomicBool>,
    pub last_health: LastHealth,
    pub metrics: Metrics,
}

/// How long a read waits for a database that can't be reached. It is several seconds, because some appliances call once a
/// day.
const READ_TIMEOUT: Duration = Duration::from_secs(4);
