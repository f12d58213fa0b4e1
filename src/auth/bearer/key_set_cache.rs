//! The current key set, and when it is refreshed.
//!
//! * A token that no known key signed causes a refresh, at most once a minute after the end of the last such
//!   refresh, whether that succeeded or not. So forged tokens cost the provider at most one request a minute.
//! * The set is refreshed every ten minutes, so that a removed key is no longer accepted; and every two
//!   seconds until the first success.
//! * At most one refresh runs at a time, and all waiting callers share it: no caller waits longer than a refresh takes.
//!   A caller that joined a running refresh may miss a key that was published after its start; the next token
//!   finds it.
//! * A failed refresh changes nothing: the last good set stays.
//!
//! Tokens of known keys never wait. A refresh that a token causes is a task of its own on the runtime's threads, which
//! finishes even if its callers no longer wait. The other refreshes run in the supervised task `key_set`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::key_set::{KeySet, Remark};
use super::key_source::KeySource;
use crate::telemetry::TaskFailure;

/// Minimum time between two refreshes that tokens cause, from the end of the first.
const MIN_INTERVAL: Duration = Duration::from_mins(1);
/// Age at which a set is refreshed.
pub const MAX_AGE: Duration = Duration::from_mins(10);
/// Time between two refreshes until the first success.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum skipped keys that are named in the log.
const MAX_NAMED: usize = 20;

/// A key set that follows its source.
#[derive(Clone)]
pub struct KeySetCache(Arc<Inner>);

struct Inner {
    source: KeySource,
    current: ArcSwapOption<KeySet>,
    refreshes: Mutex<Refreshes>,
    logged: Mutex<Logged>,
    runtime: Handle,
}

#[derive(Default)]
struct Refreshes {
    /// Closed when the running refresh ends.
    running: Option<watch::Receiver<()>>,
    /// When the last refresh that a token caused ended.
    ended: Option<Instant>,
}

/// The lines that were logged last: the same lines are not repeated every time.
#[derive(Default)]
struct Logged {
    failure: Option<String>,
    remarks: Vec<Remark>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Time,
    Token,
}

/// A running refresh. When it ends, in whatever way, the next one may start and waiting callers continue.
struct Refresh {
    inner: Arc<Inner>,
    reason: Reason,
    done: watch::Sender<()>,
}

/// The part of a caller in a refresh.
enum Turn {
    Run(Refresh),
    /// Wait for the running refresh.
    Join(watch::Receiver<()>),
}

impl Drop for Refresh {
    fn drop(&mut self) {
        let mut refreshes = lock(&self.inner.refreshes);
        refreshes.running = None;
        if self.reason == Reason::Token {
            refreshes.ended = Some(Instant::now());
        }
    }
}

impl KeySetCache {
    /// Returns a cache without a set; [`refresh`](Self::refresh) has to be called regularly.
    pub fn new(source: KeySource, runtime: Handle) -> Self {
        Self(Arc::new(Inner {
            source,
            current: ArcSwapOption::empty(),
            refreshes: Mutex::default(),
            logged: Mutex::default(),
            runtime,
        }))
    }

    /// Refreshes the set, or waits for the running refresh.
    pub async fn refresh(&self) -> Result<(), TaskFailure> {
        match self.0.start_refresh(Reason::Time) {
            Some(Turn::Run(refresh)) => {
                let read = refresh.inner.read().await;
                let retry = if self.current().is_some() { MAX_AGE } else { RETRY_INTERVAL };
                read.map_err(|failure| TaskFailure::new(failure).retry_after(retry).logged())
            }
            Some(Turn::Join(running)) => {
                wait(running).await;
                // The joined refresh may have failed, which it has logged.
                let no_set =
                    || TaskFailure::new("there is no key set yet").retry_after(RETRY_INTERVAL).logged();
                self.current().map(drop).ok_or_else(no_set)
            }
            None => Ok(()),
        }
    }

    /// Returns the last good set; `None` if there never was one.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.0.current.load_full()
    }

    /// Returns a set that is newer than `seen`, in which the caller found no key: one that was read meanwhile
    /// or is read now. Returns `None` if there is none, or if it is too soon to refresh.
    pub(super) async fn newer_than(&self, seen: Option<&Arc<KeySet>>) -> Option<Arc<KeySet>> {
        let newer = || self.current().filter(|set| !seen.is_some_and(|seen| Arc::ptr_eq(seen, set)));
        if let Some(set) = newer() {
            return Some(set);
        }
        match self.0.start_refresh(Reason::Token) {
            Some(Turn::Run(refresh)) => {
                let done = refresh.done.subscribe();
                // `read` has logged a failure.
                self.0.runtime.spawn(async move { drop(refresh.inner.read().await) });
                wait(done).await;
            }
            Some(Turn::Join(running)) => wait(running).await,
            None => {}
        }
        newer()
    }
}

/// Waits for the end of a refresh, which drops the sender.
async fn wait(mut refresh: watch::Receiver<()>) {
    let _ = refresh.changed().await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Joins the running refresh, or registers one that the caller has to run. Returns `None` if a token may not cause one
    /// yet.
    fn start_refresh(self: &Arc<Self>, reason: Reason) -> Option<Turn> {
        let mut refreshes = lock(&self.refreshes);
        if let Some(running) = &refreshes.running {
            return Some(Turn::Join(running.clone()));
        }
        let pause = if self.current.load().is_some() { MIN_INTERVAL } else { RETRY_INTERVAL };
        if reason == Reason::Token && refreshes.ended.is_some_and(|ended| ended.elapsed() < pause) {
            return None;
        }
        let (done, receiver) = watch::channel(());
        refreshes.running = Some(receiver);
        Some(Turn::Run(Refresh { inner: Arc::clone(self), reason, done }))
    }

    /// Reads the set. Logs a failure itself: only when it changes, and whatever caused the refresh.
    async fn read(&self) -> Result<(), String> {
        match self.source.read().await {
            Ok(set) => {
                let set = Arc::new(set);
                self.current.store(Some(Arc::clone(&set)));
                // Logged after the set is in use: the reader of the line may send a token.
                log::info!("token keys: {} read from {}", set.len(), self.source);
                self.log_remarks(set.remarks());
                Ok(())
            }
            Err(failure) => {
                self.log_failure(failure.clone());
                Err(failure)
            }
        }
    }

    fn log_failure(&self, failure: String) {
        let mut logged = lock(&self.logged);
        if logged.failure.as_ref() != Some(&failure) {
            let effect = match self.current.load().as_ref() {
                Some(_) => "the last good ones stay",
                None => "no keys yet, every token is answered 503 until this succeeds",
            };
            log::error!("token keys: read {}: {failure}; {effect}", self.source);
        }
        logged.failure = Some(failure);
    }

    fn log_remarks(&self, remarks: &[Remark]) {
        let mut logged = lock(&self.logged);
        logged.failure = None;
        if logged.remarks == remarks {
            return;
        }
        for remark in remarks.iter().take(MAX_NAMED) {
            log::log!(remark.level, "token keys: {remark}");
        }
        if let Some(more @ 1..) = remarks.len().checked_sub(MAX_NAMED) {
            log::warn!("token keys: {more} more keys are left out or carry a warning");
        }
        logged.remarks = remarks.to_vec();
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            // A query may contain a key by which the provider identifies its clients.
            Self::Url(url) => f.write_str(url.split('?').next().unwrap_or_default()),
        }
    }
}
