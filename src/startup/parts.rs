//! The parts that the settings describe: the store and the vault around it.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::StartError;
use crate::actors::Actors;
use crate::backups::{Authenticator, BodyLimits, LastHealth, LiveUploads, NewIds, UndoQueue, Vault, Waiters};
use crate::config::{Config, StoreConfig};
use crate::db::Db;
use crate::store::{self, BlobStore, Place, S3Settings};
use crate::telemetry::Metrics;

/// The store that the settings name, with its file work on the blocking threads of `blocking`.
pub fn open_store(config: &StoreConfig, blocking: &Handle) -> Result<Arc<dyn BlobStore>, StartError> {
    let place = match config {
        StoreConfig::Local { data_dir } => Place::Local(data_dir.clone()),
        StoreConfig::S3(s3) => {
            if s3.asked_for_other_style {
                log::warn!("BACKUP_S3_USE_PATH_STYLE is false: path-style is used all the same");
            }
            Place::S3(S3Settings {
                endpoint: s3.endpoint.clone(),
                region: s3.region.clone(),
                bucket: s3.bucket.clone(),
                access_key: s3.access_key.clone(),
                secret_key: s3.secret_key.clone(),
                presign_endpoint: s3.presign_endpoint.clone(),
            })
        }
    };
    store::open(&place, blocking)
        .map_err(|source| StartError::Io { doing: "open the store".to_owned(), source })
}

pub(super) fn build_vault(
    config: &Config,
    db: Db,
    store: Arc<dyn BlobStore>,
    actors: &Actors,
    engine: &Handle,
    metrics: Metrics,
) -> Arc<Vault> {
    let orgs = actors.orgs.clone();
    let live = LiveUploads::default();
    let tasks = TaskTracker::new();
    let (undo, undo_consumer) =
        UndoQueue::new(orgs.clone(), Arc::clone(&store), live.clone(), tasks.clone(), engine.clone());
    engine.spawn(undo_consumer);
    Arc::new(Vault {
        authenticator: Authenticator::new(db.clone(), engine.clone()),
        db,
        store,
        orgs,
        rate: actors.rate.clone(),
        limits: BodyLimits {
            max_upload: config.uploads.max_size,
            idle_timeout: config.uploads.idle_timeout,
            min_rate: config.uploads.min_rate,
        },
        new_ids: NewIds::default(),
        undo,
        live,
        waiters: Waiters::default(),
        purge: Arc::new(Notify::new()),
        engine: engine.clone(),
        tasks,
        ready: Arc::default(),
        last_health: LastHealth::default(),
        metrics,
    })
}
