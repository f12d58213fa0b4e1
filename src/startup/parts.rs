//! The parts that the settings describe: the store, the verifier of tokens, and the vault.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::StartError;
use crate::actors::Actors;
use crate::auth::basic::Authenticator;
use crate::auth::bearer::{KeySource, TokenSettings, TokenVerifier};
use crate::backups::{
    AbortQueue, BodyLimits, Downloads, IdGenerator, LastHealth, Links, LiveUploads, Vault, Waiters,
};
use crate::config::{Config, Jwks, StoreConfig, TokenConfig};
use crate::db::Db;
use crate::store::{self, BlobStore, S3Settings, StoreSettings};
use crate::telemetry::Metrics;

/// The store that the settings name, with its file work on the blocking threads of `blocking`.
pub fn open_store(config: &StoreConfig, blocking: &Handle) -> Result<Arc<dyn BlobStore>, StartError> {
    let settings = match config {
        StoreConfig::Local { data_dir } => StoreSettings::Local(data_dir.clone()),
        StoreConfig::S3(s3) => {
            if s3.asked_for_other_style {
                log::warn!("BACKUP_S3_USE_PATH_STYLE is false: path-style is used all the same");
            }
            if let Some(proxy) = s3.unused_proxy {
                log::warn!("{proxy} is set and not used: the engine is reached directly (S3_ENDPOINT)");
            }
            StoreSettings::S3(S3Settings {
                endpoint: s3.endpoint.clone(),
                region: s3.region.clone(),
                bucket: s3.bucket.clone(),
                access_key: s3.access_key.clone(),
                secret_key: s3.secret_key.clone(),
                presign_endpoint: s3.presign_endpoint.clone(),
            })
        }
    };
    store::open(&settings, blocking)
        .map_err(|source| StartError::Io { doing: "open the store".to_owned(), source })
}

/// The verifier of tokens; `None` if the settings name no key to verify them with.
pub(super) fn start_tokens(
    config: Option<&TokenConfig>,
    runtime: &Handle,
) -> Result<Option<TokenVerifier>, StartError> {
    let Some(config) = config else {
        log::info!("neither JWT_JWKS_URL nor JWT_JWKS_FILE is set: the management API refuses every token");
        return Ok(None);
    };
    if let Some(proxy) = config.unused_proxy {
        log::warn!("{proxy} is set and not used: the key set is fetched directly (JWT_JWKS_URL)");
    }
    if config.hs256.is_some() {
        log::warn!(
            "JWT_HS256_SECRET is set: FOR DEVELOPMENT ONLY. Whoever knows it can make any token; \
             use JWT_JWKS_URL or JWT_JWKS_FILE instead"
        );
    }
    let keys = config.jwks.as_ref().map(|jwks| match jwks {
        Jwks::File(path) => KeySource::File(path.clone()),
        Jwks::Url(url) => KeySource::Url(url.clone()),
    });
    let settings = TokenSettings {
        keys,
        hs256: config.hs256.clone(),
        issuer: config.issuer.clone(),
        audience: config.audience.clone(),
    };
    let tokens = TokenVerifier::start(settings, runtime);
    tokens.map(Some).map_err(|line| StartError::Setting(format!("JWT_JWKS_FILE: {line}")))
}

/// The vault, with the consumer of its abort queue running on `runtime`.
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
    let (aborts, abort_consumer) =
        AbortQueue::new(orgs.clone(), Arc::clone(&store), live.clone(), tasks.clone(), runtime.clone());
    runtime.spawn(abort_consumer);
    Arc::new(Vault {
        authenticator: Authenticator::new(db.clone(), runtime.clone()),
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
        downloads: Downloads::default(),
        ids: IdGenerator::default(),
        aborts,
        live,
        waiters: Waiters::default(),
        purge: Arc::new(Notify::new()),
        runtime: runtime.clone(),
        tasks,
        ready: Arc::default(),
        last_health: LastHealth::default(),
        metrics,
    })
}
