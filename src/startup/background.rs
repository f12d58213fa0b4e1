//! Starts the background tasks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{FIRST_PREPARATION_TIMEOUT, StartError};
use crate::auth::bearer::{KEY_SET_MAX_AGE, REJECTED_TOKENS_PERIOD, TokenVerifier};
use crate::backups::Vault;
use crate::config::Config;
use crate::db::Connector;
use crate::db::accounting::AccountingPolicy;
use crate::fleet::Fleet;
use crate::tasks::erase::{Accounting, Eraser};
use crate::tasks::{
    self, BackupRequestListener, History, Lease, MemoryReturn, Period, Preparation, Supervisor,
    TaskDefinition, TaskError, UsageDays,
};

/// How long refused credentials are counted in memory, and are lost if the process dies.
const REFUSED_CREDENTIALS_PERIOD: Duration = Duration::from_secs(5);
const REFUSED_CREDENTIALS_MAX_RUN: Duration = Duration::from_mins(1);

/// How long calls of systems are remembered before they are written.
const SEEN_SYSTEMS_PERIOD: Duration = Duration::from_secs(1);
const SEEN_SYSTEMS_MAX_RUN: Duration = Duration::from_mins(1);

/// How often it is tried to write uploads that were refused while the database was away.
const UNAVAILABLE_UPLOADS_PERIOD: Duration = Duration::from_secs(1);
const UNAVAILABLE_UPLOADS_MAX_RUN: Duration = Duration::from_mins(1);

/// The tasks with a thread of their own, which stop when this is dropped. The other tasks stop with the runtime.
pub(super) struct BackgroundThreads {
    _listener: BackupRequestListener,
    _lease: Lease,
    _memory: MemoryReturn,
}

/// Starts all tasks of the vault. Waits a short time for the preparation of schema and store, so that they are usually ready
/// for the first request.
pub(super) async fn start(
    supervisor: &Supervisor,
    config: &Config,
    migrate: bool,
    policy: AccountingPolicy,
    connector: &Connector,
    vault: &Arc<Vault>,
    fleet: &Fleet,
) -> Result<BackgroundThreads, StartError> {
    let preparation = Preparation {
        db: vault.db.clone(),
        migrate,
        default_quota: policy.default_quota,
        backup_period: config.uploads.backup_period,
        store: Arc::clone(&vault.store),
    };
    let (refuse, refused) = oneshot::channel();
    tasks::prepare::start(supervisor, preparation, Arc::clone(&vault.ready), refuse);
    // The sender is dropped when everything is prepared.
    if let Ok(Ok(line)) = timeout(FIRST_PREPARATION_TIMEOUT, refused).await {
        return Err(StartError::Refused(line));
    }

    let io = |doing: &str| {
        let doing = doing.to_owned();
        move |source| StartError::Io { doing, source }
    };
    let lease = Lease::start(supervisor, connector.clone(), policy.writer, config.upkeep.lease)
        .map_err(io("start the lease thread"))?;
    let listener = BackupRequestListener::start(supervisor, connector.clone(), vault.waiters.clone())
        .map_err(io("start the thread that listens"))?;
    let memory = MemoryReturn::start(supervisor).map_err(io("start the thread that returns memory"))?;
    tasks::purge::start(supervisor, vault.db.clone(), Arc::clone(&vault.store), Arc::clone(&vault.purge));
    let eraser = Eraser {
        db: vault.db.clone(),
        store: Arc::clone(&vault.store),
        accounting: Accounting::Actors(Arc::clone(vault)),
    };
    tasks::erase::start(supervisor, eraser, Arc::clone(&fleet.erase));
    let (db, store, live) = (vault.db.clone(), Arc::clone(&vault.store), vault.live.clone());
    let sweeper = tasks::sweep::Sweeper::new(db, store, policy, config.upkeep.lease, live);
    sweeper.start(supervisor, config.upkeep.sweep_interval);
    let history =
        History { db: vault.db.clone(), keep: config.upkeep.events_keep, ready: Arc::clone(&vault.ready) };
    history.start(supervisor);
    let usage =
        UsageDays { db: vault.db.clone(), keep: config.upkeep.events_keep, ready: Arc::clone(&vault.ready) };
    usage.start(supervisor);
    tasks::periods::start(supervisor, vault.db.clone(), Arc::clone(&vault.ready));
    tasks::revoke::start(supervisor, vault.db.clone(), vault.downloads.clone());
    start_refused_credentials(supervisor, vault);
    start_seen_systems(supervisor, vault);
    start_unavailable_uploads(supervisor, vault);
    Ok(BackgroundThreads { _listener: listener, _lease: lease, _memory: memory })
}

/// Starts to write the counts of refused credentials to the history.
fn start_refused_credentials(supervisor: &Supervisor, vault: &Vault) {
    let (refused, db) = (vault.authenticator.refused_credentials().clone(), vault.db.clone());
    let task = TaskDefinition::new("refused_credentials", Period::SinceEnd(REFUSED_CREDENTIALS_PERIOD));
    supervisor.spawn(task.max_run(REFUSED_CREDENTIALS_MAX_RUN), move || {
        let (refused, db) = (refused.clone(), db.clone());
        async move { refused.write(&db).await.map_err(|error| TaskError::from(error).into()) }
    });
}

/// Writes what these tasks would write next, when the service stops.
pub(super) async fn write_rest(vault: &Vault) {
    let (db, authenticator) = (&vault.db, &vault.authenticator);
    let (uploads, refused, seen) = tokio::join!(
        authenticator.unavailable_uploads().write_rest(db),
        authenticator.refused_credentials().write(db),
        authenticator.seen_systems().write(db),
    );
    for (what, result) in [
        ("the uploads that were refused while the database was away", uploads),
        ("the refused credentials of the last seconds", refused),
        ("the signs of activity of the last second", seen),
    ] {
        if let Err(error) = result {
            log::warn!("could not record {what}: {error}");
        }
    }
}

/// Starts to write which systems were heard of.
fn start_seen_systems(supervisor: &Supervisor, vault: &Vault) {
    let (seen, db) = (vault.authenticator.seen_systems().clone(), vault.db.clone());
    let task = TaskDefinition::new("seen_systems", Period::SinceEnd(SEEN_SYSTEMS_PERIOD));
    supervisor.spawn(task.max_run(SEEN_SYSTEMS_MAX_RUN), move || {
        let (seen, db) = (seen.clone(), db.clone());
        async move { seen.write(&db).await.map_err(|error| TaskError::from(error).into()) }
    });
}

/// Starts to write the uploads that were refused while the database was away.
fn start_unavailable_uploads(supervisor: &Supervisor, vault: &Vault) {
    let (uploads, db) = (vault.authenticator.unavailable_uploads().clone(), vault.db.clone());
    let task = TaskDefinition::new("unavailable_uploads", Period::SinceEnd(UNAVAILABLE_UPLOADS_PERIOD));
    supervisor.spawn(task.max_run(UNAVAILABLE_UPLOADS_MAX_RUN), move || {
        let (uploads, db) = (uploads.clone(), db.clone());
        async move { uploads.write(&db).await.map_err(|error| TaskError::from(error).into()) }
    });
}

/// Starts the tasks of the verifier of tokens.
pub(super) fn start_verifier(supervisor: &Supervisor, verifier: &TokenVerifier) {
    if let Some(key_set) = verifier.key_set() {
        let task = TaskDefinition::new("key_set", Period::SinceStart(KEY_SET_MAX_AGE));
        supervisor.spawn(task, move || {
            let key_set = key_set.clone();
            async move { key_set.refresh().await }
        });
    }
    let rejected = Arc::downgrade(verifier.rejected());
    let task = TaskDefinition::new("rejected_tokens", Period::SinceStart(REJECTED_TOKENS_PERIOD));
    supervisor.spawn(task, move || {
        let rejected = rejected.upgrade();
        async move {
            if let Some(rejected) = rejected {
                rejected.report();
            }
            Ok(())
        }
    });
}
