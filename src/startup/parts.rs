//! The parts that the settings describe: the store, the verifier of tokens, the vault, and the fleet.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::StartError;
use crate::actors::Actors;
use crate::auth::basic::Authenticator;
use crate::auth::bearer::TokenVerifier;
use crate::backups::{
    Aborter, AtOnce, BodyLimits, EventLimit, IdGenerator, LastHealth, Links, LiveUploads, OpenDownloads,
    RefusedLately, SharedLists, Vault, Waiters,
};
use crate::config::{Config, StoreConfig, TokenConfig, UploadConfig};
use crate::db::Db;
use crate::db::accounting::AccountingPolicy;
use crate::fleet::{Fleet, StatusCountsCache, SystemLimits};
use crate::store::{self, BlobStore};
use crate::telemetry::Metrics;

/// Opens the store in the settings. Its file operations run on the blocking threads of `blocking`.
pub fn open_store(config: &StoreConfig, blocking: &Handle) -> Result<Arc<dyn BlobStore>, StartError> {
    warn(&config.warnings);
    store::open(&config.settings, blocking)
        .map_err(|source| StartError::Io { doing: "open the store".to_owned(), source })
}

/// Returns the verifier of tokens, or `None` if the settings name no key to verify them with.
pub(super) fn token_verifier(
    config: Option<&TokenConfig>,
    runtime: &Handle,
) -> Result<Option<TokenVerifier>, StartError> {
    let Some(config) = config else { return Ok(None) };
    let tokens = TokenVerifier::new(config.settings.clone(), runtime);
    tokens.map(Some).map_err(|line| StartError::Setting(format!("JWT_JWKS_FILE: {line}")))
}

/// Logs what an operator should know about the settings of tokens.
pub(super) fn log_token_settings(config: Option<&TokenConfig>) {
    match config {
        Some(config) => warn(&config.warnings),
        None => {
            log::info!(
                "neither JWT_JWKS_URL nor JWT_JWKS_FILE is set: the management API refuses every token"
            );
        }
    }
}

fn warn(lines: &[String]) {
    for line in lines {
        log::warn!("{line}");
    }
}

/// Returns the accounting policy in the settings. `writer` is the process that applies it.
pub fn policy(uploads: &UploadConfig, writer: Uuid) -> AccountingPolicy {
    AccountingPolicy {
        retention: uploads.retention,
        rate: uploads.rate,
        default_quota: uploads.default_quota,
        writer,
    }
}

/// Builds the vault. Its uploads run on `runtime`.
pub(super) fn build_vault(
    config: &Config,
    db: Db,
    store: Arc<dyn BlobStore>,
    actors: &Actors,
    runtime: &Handle,
    metrics: Metrics,
) -> Arc<Vault> {
    let orgs = actors.orgs.clone();
    let live = LiveUploads::default();
    let tasks = TaskTracker::new();
    let aborter = Aborter {
        orgs: orgs.clone(),
        store: Arc::clone(&store),
        live: live.clone(),
        tasks: tasks.clone(),
        runtime: runtime.clone(),
        status: metrics.tasks.register("abort", None),
    };
    let lookup_status = metrics.tasks.register("credential_lookup", None);
    Arc::new(Vault {
        authenticator: Authenticator::new(db.clone(), runtime.clone(), lookup_status),
        lists: SharedLists::new(db.clone(), runtime.clone(), metrics.tasks.register("backup_lists", None)),
        db,
        store,
        orgs,
        rate_refusals: actors.rate_refusals.clone(),
        limits: BodyLimits {
            max_upload: config.uploads.max_size,
            idle_timeout: config.uploads.idle_timeout,
            min_rate: config.uploads.min_rate,
        },
        links: Links::new(config.presign_ttl),
        downloads: OpenDownloads::default(),
        recorded_downloads: EventLimit::default(),
        ids: IdGenerator::default(),
        aborter,
        live,
        failed_uploads: EventLimit::default(),
        refused_lately: RefusedLately::default(),
        at_once: AtOnce::default(),
        waiters: Waiters::default(),
        purge: Arc::new(Notify::new()),
        runtime: runtime.clone(),
        tasks,
        ready: Arc::default(),
        last_health: LastHealth::default(),
        metrics,
    })
}

/// Builds the use cases about the fleet.
pub(super) fn build_fleet(config: &Config, db: Db) -> Arc<Fleet> {
    let uploads = &config.uploads;
    let limits =
        SystemLimits { retention: uploads.retention, max_upload: uploads.max_size, rate: uploads.rate };
    Arc::new(Fleet {
        db,
        limits,
        erase: Arc::new(Notify::new()),
        status_counts: StatusCountsCache::default(),
    })
}
