//! Builds pool, store, actors, loops and server from the settings, runs until a signal, and stops
//! in order.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::System;
use actix_web::web::Data;
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::actors::Actors;
use crate::backups::{Authenticator, BodyLimits, LastHealth, LiveUploads, NewIds, UndoQueue, Vault};
use crate::config::{Config, HttpConfig, StoreConfig, UploadConfig};
use crate::db::accounting::Policy;
use crate::db::{self, Db};
use crate::http::{self, AppState, Certificates, Door, ServerSettings};
use crate::jobs::{self, Lease, Preparation};
use crate::store::{self, BlobStore, Place, S3Settings, StoreError};

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
    let listener = bind(config.http.listen)?;
    let process = jobs::sweep::new_process_id();
    let policy = policy(&config.uploads, process);
    if policy.default_quota.is_none() {
        log::warn!("BACKUP_MAX_SIZE_PER_ORG is 0: organizations without a quota of their own have none");
    }
    let db = Db::new(config.database_url.expose_secret(), engine.handle().clone());
    let store = open_store(&config.store, disk)?;
    look_at(Arc::clone(&store), engine).await?;
    let actors = Actors::start(db.clone(), policy.clone());
    let vault = build_vault(&config, db.clone(), Arc::clone(&store), &actors, engine.handle());

    let preparation = Preparation {
        db: db.clone(),
        migrate,
        default_quota: policy.default_quota,
        store: Arc::clone(&store),
    };
    let mut preparing = engine.spawn(jobs::prepare(preparation, Arc::clone(&vault.ready)));
    let _ = timeout(FIRST_PREPARATION, &mut preparing).await;
    let lease = start_lease(config.database_url.clone(), process, config.upkeep.lease)?;
    engine.spawn(jobs::purge::run(db.clone(), Arc::clone(&store), Arc::clone(&vault.purge)));
    let sweeper =
        jobs::sweep::Sweeper { db, store, policy, lease: config.upkeep.lease, live: vault.live.clone() };
    engine.spawn(sweeper.run(config.upkeep.sweep_interval));

    let state = Data::new(AppState {
        vault: Arc::clone(&vault),
        trusted_proxies: config.http.trusted_proxies.clone(),
    });
    let settings = ServerSettings {
        listener,
        certificates: certificates.clone(),
        shutdown_grace: config.http.shutdown_grace,
    };
    let (address, server, door) = http::serve(state, settings)
        .map_err(|source| StartError::Io { doing: format!("listen on {}", config.http.listen), source })?;
    announce(address, certificates.is_some());
    run_until_signal(server, door, &mut signals, certificates).await?;

    // The connections are gone; what they left is committed or taken back now.
    vault.tasks.close();
    let _ = timeout_at(Instant::now() + LAST_TASKS, vault.tasks.wait()).await;
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

/// A store that says no at the first look ends the start; one that can't be reached is waited for
/// by `jobs::prepare`.
async fn look_at(store: Arc<dyn BlobStore>, engine: &Runtime) -> Result<(), StartError> {
    let look = engine.spawn(async move { timeout(FIRST_PREPARATION, store.prepare(false)).await });
    match look.await {
        Ok(Ok(Err(StoreError::Refused(line)))) => Err(StartError::Refused(line)),
        _ => Ok(()),
    }
}

fn build_vault(
    config: &Config,
    db: Db,
    store: Arc<dyn BlobStore>,
    actors: &Actors,
    engine: &Handle,
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
        purge: Arc::new(Notify::new()),
        engine: engine.clone(),
        tasks,
        ready: Arc::default(),
        last_health: LastHealth::default(),
    })
}

fn start_lease(url: SecretString, process: Uuid, lease: Duration) -> Result<Lease, StartError> {
    Lease::start(url, process, lease)
        .map_err(|source| StartError::Io { doing: "start the lease thread".to_owned(), source })
}

fn announce(address: SocketAddr, tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    log::info!("listening on {scheme}://{address}");
    notify_systemd(&[sd_notify::NotifyState::Ready]);
}

/// Without systemd this does nothing.
fn notify_systemd(states: &[sd_notify::NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("tell systemd: {error}");
    }
}

/// An address of another machine or a port that is not ours is a wrong setting; one that is in use may
/// be free in a moment.
fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            StartError::Setting(format!("LISTEN_ADDRESS: {address}: {source}"))
        }
        _ => StartError::Io { doing: format!("LISTEN_ADDRESS: listen on {address}"), source },
    })
}

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| {
            signal(kind).map_err(|source| StartError::Io { doing: "listen for signals".to_owned(), source })
        };
        Ok(Self {
            term: listen(SignalKind::terminate())?,
            int: listen(SignalKind::interrupt())?,
            hup: listen(SignalKind::hangup())?,
        })
    }
}

/// SIGTERM lets what is in flight finish; SIGINT cuts, and so does a second SIGTERM; SIGHUP reads the
/// certificate again.
async fn run_until_signal(
    server: Server,
    door: Door,
    signals: &mut Signals,
    certificates: Option<Arc<Certificates>>,
) -> Result<(), StartError> {
    let handle = server.handle();
    let mut running = actix_web::rt::spawn(server);
    loop {
        tokio::select! {
            _ = signals.term.recv() => break,
            _ = signals.int.recv() => return stop_at_once(&handle).await,
            _ = signals.hup.recv() => reload(certificates.as_deref()),
            ended = &mut running => {
                let failed = |e: std::io::Error| StartError::Io { doing: "serve".to_owned(), source: e };
                return ended.map_or(Ok(()), |result| result.map_err(failed));
            }
        }
    }
    log::info!("stopping: uploads in flight may finish");
    notify_systemd(&[sd_notify::NotifyState::Stopping]);
    let stopping = async {
        door.close().await;
        // Told once; that all have finished shows in the server's own end.
        handle.stop(true).await;
    };
    tokio::select! {
        () = stopping => Ok(()),
        _ = signals.term.recv() => stop_at_once(&handle).await,
        _ = signals.int.recv() => stop_at_once(&handle).await,
    }
}

/// What is in flight is taken back.
async fn stop_at_once(handle: &ServerHandle) -> Result<(), StartError> {
    log::info!("stopping at once");
    notify_systemd(&[sd_notify::NotifyState::Stopping]);
    let _ = timeout(LAST_TASKS, handle.stop(false)).await;
    Ok(())
}

fn reload(certificates: Option<&Certificates>) {
    let Some(certificates) = certificates else {
        log::info!("SIGHUP: no certificate to reload");
        return;
    };
    let states =
        sd_notify::NotifyState::monotonic_usec_now().map(|now| [sd_notify::NotifyState::Reloading, now]);
    if let Ok(states) = states {
        notify_systemd(&states);
    }
    match certificates.reload() {
        Ok(()) => log::info!("certificate reloaded"),
        Err(error) => log::error!("certificate not reloaded, the old one is kept: {error}"),
    }
    notify_systemd(&[sd_notify::NotifyState::Ready]);
}
