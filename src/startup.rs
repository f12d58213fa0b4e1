//! Builds pool, store, actors, loops and listeners from the settings, runs until a signal, and stops
//! in order.

mod parts;
mod signals;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::web::Data;
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::{Handle, Runtime};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

pub use parts::open_store;
use signals::{Signals, notify_systemd, run_until_signal};

use crate::actors::Actors;
use crate::backups::Waiters;
use crate::config::{Config, HttpConfig, UploadConfig};
use crate::db::accounting::Policy;
use crate::db::{self, Db};
use crate::http::{self, Api, ApiAddress, ApiAddresses, AppState, Certificates, Served, ServerSettings};
use crate::jobs::{self, Lease, Listener, Preparation};
use crate::store::{BlobStore, ObservedStore, StoreError};
use crate::telemetry::Metrics;

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be used: it names the variable.
    #[error("{0}")]
    Setting(String),
    /// The object store does not let us do what has to be done.
    #[error("{0}")]
    Refused(String),
    #[error("{doing}: {source}")]
    Io { doing: String, source: std::io::Error },
}

/// How long the start waits for the database before it serves without it.
const FIRST_PREPARATION: Duration = Duration::from_secs(5);
/// After the last connection is gone: for uploads that are being taken back.
const LAST_TASKS: Duration = Duration::from_secs(10);

/// Runs the service until SIGTERM or SIGINT.
pub fn run(config: Config, migrate: bool) -> Result<(), StartError> {
    let io = |doing: &str| {
        let doing = doing.to_owned();
        move |source| StartError::Io { doing, source }
    };
    let engine = tokio::runtime::Builder::new_multi_thread()
        .thread_name("engine")
        .enable_all()
        .build()
        .map_err(io("start the engine runtime"))?;
    check_database_url(&config)?;
    raise_file_limit();
    // A disk that hangs must not use up the threads that ask the database.
    let disk = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("store")
        .build()
        .map_err(io("start the store's runtime"))?;
    let result = System::new().block_on(serve(config, migrate, &engine, disk.handle()));
    disk.shutdown_background();
    // What still runs there is past its grace; nothing waits for it.
    engine.shutdown_timeout(Duration::from_secs(1));
    result
}

/// A connection string that can't be one is a wrong setting, not a database that is down.
pub fn check_database_url(config: &Config) -> Result<(), StartError> {
    if db::is_connection_string(config.database_url.expose_secret()) {
        return Ok(());
    }
    Err(StartError::Setting("DATABASE_URL: it is not a connection string of Postgres".to_owned()))
}

/// An upload holds a socket and a file; the soft limit that processes start with is for those that
/// use `select`.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("raise the limit of open files: {error}");
    }
}

async fn serve(config: Config, migrate: bool, engine: &Runtime, disk: &Handle) -> Result<(), StartError> {
    // First of all: a signal that nobody waits for ends the process.
    let mut signals = Signals::listen()?;
    #[cfg(feature = "failpoints")]
    log::warn!("built with fail points, for tests: not for use");
    let certificates = load_certificates(&config.http)?;
    let listener = bind("LISTEN_ADDRESS", config.http.listen)?;
    let management = bind("MANAGEMENT_LISTEN_ADDRESS", config.management.listen)?;
    let tokens = parts::start_tokens(config.management.tokens.as_ref(), engine.handle())?;
    let process = jobs::sweep::new_process_id();
    let policy = policy(&config.uploads, process);
    if policy.default_quota.is_none() {
        log::warn!("BACKUP_MAX_SIZE_PER_ORG is 0: organizations without a quota of their own have none");
    }
    let db = Db::new(config.database_url.expose_secret(), engine.handle().clone());
    let metrics = Metrics::new().map_err(|error| StartError::Io {
        doing: "make the metrics".to_owned(),
        source: std::io::Error::other(error),
    })?;
    let store = open_store(&config.store, disk)?;
    let store: Arc<dyn BlobStore> = Arc::new(ObservedStore { store, metrics: metrics.clone() });
    look_at(Arc::clone(&store), engine).await?;
    let actors = Actors::start(db.clone(), policy.clone(), metrics.clone());
    let (books, objects, runtime) = (db.clone(), Arc::clone(&store), engine.handle());
    let vault = parts::build_vault(&config, books, objects, &actors, runtime, metrics);

    let preparation = Preparation {
        db: db.clone(),
        migrate,
        default_quota: policy.default_quota,
        store: Arc::clone(&store),
    };
    let mut preparing = engine.spawn(jobs::prepare(preparation, Arc::clone(&vault.ready)));
    let _ = timeout(FIRST_PREPARATION, &mut preparing).await;
    let lease = start_lease(config.database_url.clone(), process, config.upkeep.lease)?;
    let hearing = start_listener(config.database_url.clone(), vault.waiters.clone())?;
    engine.spawn(jobs::purge::run(db.clone(), Arc::clone(&store), Arc::clone(&vault.purge)));
    let sweeper =
        jobs::sweep::Sweeper { db, store, policy, lease: config.upkeep.lease, live: vault.live.clone() };
    engine.spawn(sweeper.run(config.upkeep.sweep_interval));

    let grace = config.http.shutdown_grace;
    // Tokens must not cross a network in the clear; on this machine a certificate for the public name is in the way.
    let hidden = certificates.clone().filter(|_| !config.management.listen.ip().is_loopback());
    if hidden.is_none() && !config.management.listen.ip().is_loopback() {
        log::warn!(
            "the management API listens on {} without TLS: tokens cross the network in the clear",
            config.management.listen
        );
    }
    let addresses = ApiAddresses {
        collect: api_address(&listener, certificates.is_some(), config.http.public_url.clone())?,
        management: api_address(&management, hidden.is_some(), config.management.public_url.clone())?,
    };
    let state = Data::new(AppState {
        vault: Arc::clone(&vault),
        tokens,
        trusted_proxies: config.http.trusted_proxies.clone(),
        addresses,
    });
    let collect = ServerSettings { listener, certificates: certificates.clone(), shutdown_grace: grace };
    let management = ServerSettings { listener: management, certificates: hidden, shutdown_grace: grace };
    let mut servers = Vec::new();
    for (api, settings) in [(Api::Management, management), (Api::Collect, collect)] {
        let scheme = if settings.certificates.is_some() { "https" } else { "http" };
        let served = http::serve(api, state.clone(), settings)
            .map_err(|source| StartError::Io { doing: format!("serve the {api} API"), source })?;
        let Served { address, server, drain } = served;
        match api {
            Api::Management => log::info!("management API on {scheme}://{address}"),
            Api::Collect => log::info!("listening on {scheme}://{address}"),
        }
        servers.push((server, drain));
    }
    notify_systemd(&[sd_notify::NotifyState::Ready]);
    // Who waits for a request need not hold the others up.
    let stopping = || vault.waiters.close();
    run_until_signal(servers, &mut signals, certificates, stopping).await?;

    // The connections are gone; what they left is committed or taken back now.
    vault.tasks.close();
    let _ = timeout_at(Instant::now() + LAST_TASKS, vault.tasks.wait()).await;
    drop(hearing);
    drop(lease);
    actors.stop();
    log::info!("stopped");
    Ok(())
}

fn load_certificates(http: &HttpConfig) -> Result<Option<Arc<Certificates>>, StartError> {
    let Some(files) = &http.tls else { return Ok(None) };
    let loaded = Certificates::load(&files.cert, &files.key);
    loaded.map(Some).map_err(|error| StartError::Setting(format!("TLS_CERT_FILE, TLS_KEY_FILE: {error}")))
}

fn policy(uploads: &UploadConfig, writer: Uuid) -> Policy {
    Policy { retention: uploads.retention, rate: uploads.rate, default_quota: uploads.default_quota, writer }
}

/// A store that says no at the first look ends the start; one that can't be reached is waited for
/// by `jobs::prepare`.
async fn look_at(store: Arc<dyn BlobStore>, engine: &Runtime) -> Result<(), StartError> {
    let look = engine.spawn(async move { timeout(FIRST_PREPARATION, store.prepare(false)).await });
    match look.await {
        Ok(Ok(Err(StoreError::Refused(line)))) => Err(StartError::Refused(line)),
        _ => Ok(()),
    }
}

fn start_lease(url: SecretString, process: Uuid, lease: Duration) -> Result<Lease, StartError> {
    Lease::start(url, process, lease)
        .map_err(|source| StartError::Io { doing: "start the lease thread".to_owned(), source })
}

/// Asks the listener itself for its address: the setting may have left the port to the system.
fn api_address(
    listener: &TcpListener,
    tls: bool,
    public_url: Option<String>,
) -> Result<ApiAddress, StartError> {
    let listen = listener
        .local_addr()
        .map_err(|source| StartError::Io { doing: "ask for the address of a listener".to_owned(), source })?;
    Ok(ApiAddress { public_url, listen, tls })
}

fn start_listener(url: SecretString, waiters: Waiters) -> Result<Listener, StartError> {
    Listener::start(url, waiters)
        .map_err(|source| StartError::Io { doing: "start the thread that listens".to_owned(), source })
}

/// An address of another machine or a port that is not ours is a wrong setting; one that is in use may
/// be free in a moment.
fn bind(variable: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            StartError::Setting(format!("{variable}: {address}: {source}"))
        }
        _ => StartError::Io { doing: format!("{variable}: listen on {address}"), source },
    })
}
