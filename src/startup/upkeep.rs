//! The work beside the requests: preparation, lease, purger, sweeper, the listener for requests, and the return of memory.

use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{FIRST_PREPARATION_TIMEOUT, StartError};
use crate::backups::Vault;
use crate::config::Config;
use crate::db::Connector;
use crate::db::accounting::AccountingPolicy;
use crate::tasks::{self, Lease, MemoryReturn, Preparation, RequestListener};

/// What stops when it is dropped. The other jobs stop with the runtime.
pub(super) struct Upkeep {
    _listener: RequestListener,
    _lease: Lease,
    _memory: MemoryReturn,
}

/// Starts all of it. Waits a little for schema and store to be prepared, so that the first request usually finds them
/// ready.
pub(super) async fn start(
    config: &Config,
    migrate: bool,
    policy: AccountingPolicy,
    connector: &Connector,
    vault: &Vault,
    runtime: &Runtime,
) -> Result<Upkeep, StartError> {
    let preparation = Preparation {
        db: vault.db.clone(),
        migrate,
        default_quota: policy.default_quota,
        store: Arc::clone(&vault.store),
    };
    let (refuse, refused) = oneshot::channel();
    runtime.spawn(tasks::prepare(preparation, Arc::clone(&vault.ready), refuse));
    // The sender is dropped when everything is prepared.
    if let Ok(Ok(line)) = timeout(FIRST_PREPARATION_TIMEOUT, refused).await {
        return Err(StartError::Refused(line));
    }

    let lease = Lease::start(connector.clone(), policy.writer, config.upkeep.lease)
        .map_err(|source| StartError::Io { doing: "start the lease thread".to_owned(), source })?;
    let listener = RequestListener::start(connector.clone(), vault.waiters.clone())
        .map_err(|source| StartError::Io { doing: "start the thread that listens".to_owned(), source })?;
    let memory = MemoryReturn::start().map_err(|source| StartError::Io {
        doing: "start the thread that returns memory".to_owned(),
        source,
    })?;
    let wake = Arc::clone(&vault.purge);
    runtime.spawn(tasks::purge::run(vault.db.clone(), Arc::clone(&vault.store), wake));
    let sweeper = tasks::sweep::Sweeper {
        db: vault.db.clone(),
        store: Arc::clone(&vault.store),
        policy,
        lease: config.upkeep.lease,
        live: vault.live.clone(),
    };
    runtime.spawn(sweeper.run(config.upkeep.sweep_interval));
    runtime.spawn(tasks::revoke::run(vault.db.clone(), vault.downloads.clone()));
    Ok(Upkeep { _listener: listener, _lease: lease, _memory: memory })
}
