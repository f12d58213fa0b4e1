//! Builds everything from the settings, runs until a signal comes, and stops in order.

mod background;
mod check;
mod listeners;
mod parts;
mod signals;
mod systemd;

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::System;
use secrecy::ExposeSecret;
use tokio::runtime::{Handle, Runtime};
use tokio::time::{Instant, timeout, timeout_at};

pub use check::check;
use listeners::{Listeners, load_certificates};
pub use parts::{open_store, policy};
use signals::{Signals, notify_systemd, run_until_signal};

use crate::actors::Actors;
use crate::config::Config;
use crate::db::{Connector, Db, DbError};
use crate::store::{BlobStore, InstrumentedStore, StoreError};
use crate::tasks::{self, Supervisor};
use crate::telemetry::{Metrics, version};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be used. The line names the variable.
    #[error("{0}")]
    Setting(String),
    /// The object store works, but refuses a call that the service needs.
    #[error("{0}")]
    Refused(String),
    #[error("{doing}: {source}")]
    Io { doing: String, source: std::io::Error },
}

/// How long the start waits for the database and the store before it serves without them.
const FIRST_PREPARATION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long uploads may take to be committed or aborted after the last connection is closed.
const LAST_TASKS_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait at the end until refused uploads are in the rows of their systems.
const LAST_REFUSALS_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs the service until SIGTERM or SIGINT. `migrate`: whether to apply missing migrations, or to wait until they are
/// applied.
pub fn run(config: Config, migrate: bool) -> Result<(), StartError> {
    let io = |doing: &str| {
        let doing = doing.to_owned();
        move |source| StartError::Io { doing, source }
    };
    tasks::limit_heaps();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("runtime")
        .enable_all()
        .build()
        .map_err(io("start the runtime"))?;
    let connector = connector(&config)?;
    let max_files = raise_file_limit();
    // A disk that hangs must not use up the threads that query the database.
    let disk = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("store")
        .build()
        .map_err(io("start the store's runtime"))?;
    let result =
        System::new().block_on(serve(config, connector, migrate, &runtime, disk.handle(), max_files));
    disk.shutdown_background();
    // The work that still runs has had enough time to end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Returns a connector to the database in the settings. Refuses a text that is not a connection string: a wrong setting must
/// not look like a database that is down.
pub fn connector(config: &Config) -> Result<Connector, StartError> {
    Connector::new(config.database_url.expose_secret()).ok_or_else(|| {
        StartError::Setting(
            "DATABASE_URL: it is not like postgres://USER:PASSWORD@HOST/DATABASE or host=... dbname=...; in a URL \
             what is special in a password is percent-encoded (@ is %40)"
                .to_owned(),
        )
    })
}

/// Raises the soft limit of open files to the hard one, and returns it: an upload holds a socket and a file. The usual soft
/// limit is low only for programs that use `select`.
fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            log::warn!("could not raise the limit of open files: {error}");
            before.current
        }
    };
    // `None`: there is no limit.
    current.and_then(|current| usize::try_from(current).ok()).unwrap_or(usize::MAX)
}

async fn serve(
    config: Config,
    connector: Connector,
    migrate: bool,
    runtime: &Runtime,
    disk: &Handle,
    max_files: usize,
) -> Result<(), StartError> {
    // The handlers come first: a signal without a handler ends the process.
    let mut signals = Signals::listen()?;
    #[cfg(feature = "failpoints")]
    log::warn!("built with failpoints, for tests only: do not use it in production");
    let certificates = load_certificates(&config.http)?;
    let listeners = Listeners::bind(&config)?;
    let tokens = parts::token_verifier(config.management.tokens.as_ref(), runtime.handle())?;
    // A start that a wrong setting stops has only the line that names the setting.
    log::info!("strongroom {} starts", version::FULL);
    parts::log_token_settings(config.management.tokens.as_ref());
    if config.uploads.default_quota.is_none() {
        log::warn!("BACKUP_MAX_SIZE_PER_ORG is 0: organizations without a quota of their own have none");
    }
    let policy = policy(&config.uploads, tasks::new_process_id());

    let db = Db::new(connector.clone(), runtime.handle().clone());
    let metrics = Metrics::new().map_err(|error| StartError::Io {
        doing: "make the metrics".to_owned(),
        source: std::io::Error::other(error),
    })?;
    let supervisor = Supervisor::new(runtime.handle().clone(), metrics.tasks.clone());
    if let Some(tokens) = &tokens {
        background::start_verifier(&supervisor, tokens);
    }
    let store = open_store(&config.store, disk)?;
    let store: Arc<dyn BlobStore> = Arc::new(InstrumentedStore { store, metrics: metrics.clone() });
    tokio::try_join!(check_database(connector.clone(), runtime), check_store(Arc::clone(&store), runtime))?;
    let actors = Actors::start(db.clone(), policy.clone(), metrics.clone());
    let fleet = parts::build_fleet(&config, db.clone());
    let vault = parts::build_vault(&config, db, store, &actors, runtime.handle(), metrics);

    let threads =
        background::start(&supervisor, &config, migrate, policy, &connector, &vault, &fleet).await?;
    let grace = config.http.shutdown_grace;
    let servers =
        listeners.serve(config, Arc::clone(&vault), fleet, tokens, certificates.clone(), max_files)?;
    notify_systemd(&[sd_notify::NotifyState::Ready]);
    // Systems that wait for a backup request must not delay the uploads under way.
    let stopping = || vault.waiters.close();
    let served = run_until_signal(servers, &mut signals, certificates, grace, stopping).await;

    // The connections are closed. Their last uploads are committed or aborted now.
    vault.tasks.close();
    let _ = timeout_at(Instant::now() + LAST_TASKS_TIMEOUT, vault.tasks.wait()).await;
    background::write_rest(&vault).await;
    vault.orgs.write_refusals(LAST_REFUSALS_TIMEOUT).await;
    drop(threads);
    actors.stop();
    log::info!("stopped");
    served
}

/// Fails if the pooler in front of the database can't be used. `tasks::prepare` waits for a database that can't be reached. If
/// such a pooler is found only then, there are no sessions until the pooler is configured correctly.
async fn check_database(connector: Connector, runtime: &Runtime) -> Result<(), StartError> {
    let check = runtime.handle().spawn_blocking(move || connector.connect());
    match timeout(FIRST_PREPARATION_TIMEOUT, check).await {
        Ok(Ok(Err(DbError::Setting(line)))) => Err(StartError::Setting(line)),
        _ => Ok(()),
    }
}

/// Fails if the store refuses a call. `tasks::prepare` waits for a store that can't be reached.
async fn check_store(store: Arc<dyn BlobStore>, runtime: &Runtime) -> Result<(), StartError> {
    let check = runtime.spawn(async move { timeout(FIRST_PREPARATION_TIMEOUT, store.prepare(false)).await });
    match check.await {
        Ok(Ok(Err(StoreError::Refused(line)))) => Err(StartError::Refused(line)),
        _ => Ok(()),
    }
}
