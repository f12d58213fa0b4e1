//! The keys in use, and when they are read again.
//!
//! * A token that no known key has signed is a reason to read the set again, at most once a minute after the last such
//!   reading has ended, whether that succeeds or not. So made-up tokens cost the provider one request a minute.
//! * The set is read again every ten minutes, so that a key that was removed from it is not accepted any more; and every
//!   two seconds until it was read for the first time.
//! * There is one reading at a time, for everybody who waits: nobody waits longer than one takes. Who has waited for one
//!   that had begun before may have missed a key that was published meanwhile; the next token finds it.
//! * A reading that fails changes nothing: the last good set stays.
//!
//! Tokens of known keys never wait. The set is read in a task of its own on the runtime's threads, which is finished even
//! when whoever asked for it is gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::key_set::{KeySet, Remark};
use super::key_source::KeySource;

/// The least time from the end of a reading that tokens were the reason for to the next one.
const PAUSE: Duration = Duration::from_mins(1);
/// The age from which a set is read again.
const OLD: Duration = Duration::from_mins(10);
/// Between two readings while there never was a set.
const FIRST: Duration = Duration::from_secs(2);
/// So many keys that are left out are named in the log.
const MOST_NAMED: usize = 20;

/// A key set that follows its source.
#[derive(Clone)]
pub(super) struct KeySetCache(Arc<Inner>);

struct Inner {
    source: KeySource,
    current: ArcSwapOption<KeySet>,
    readings: Mutex<Readings>,
    logged: Mutex<Logged>,
    runtime: Handle,
}

#[derive(Default)]
struct Readings {
    /// Closed when the one that is under way is over.
    under_way: Option<watch::Receiver<()>>,
    /// When the last one that tokens were the reason for ended.
    ended: Option<Instant>,
}

/// What was logged last: the same lines every time would help nobody.
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

/// A reading that is under way. When it ends, in whatever way, the next one may begin and whoever waits goes on.
struct Reading {
    inner: Arc<Inner>,
    reason: Reason,
    _over: watch::Sender<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut readings = lock(&self.inner.readings);
        readings.under_way = None;
        if self.reason == Reason::Token {
            readings.ended = Some(Instant::now());
        }
    }
}

impl KeySetCache {
    /// Starts to read, now and for as long as the process lives.
    pub fn start(source: KeySource, runtime: Handle) -> Self {
        let keys = Self(Arc::new(Inner {
            source,
            current: ArcSwapOption::empty(),
            readings: Mutex::default(),
            logged: Mutex::default(),
            runtime,
        }));
        let inner = Arc::clone(&keys.0);
        keys.0.runtime.spawn(async move {
            loop {
                wait(inner.begin(Reason::Time)).await;
                sleep(if inner.current.load().is_some() { OLD } else { FIRST }).await;
            }
        });
        keys
    }

    /// The last good set; `None`: there never was one.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.0.current.load_full()
    }

    /// Another set than `seen`, in which the caller has found no key: one that was read meanwhile, or is read now. `None`
    /// if there is none, or if it is too soon to read again.
    pub async fn newer_than(&self, seen: Option<&Arc<KeySet>>) -> Option<Arc<KeySet>> {
        let newer = || self.current().filter(|set| !seen.is_some_and(|seen| Arc::ptr_eq(seen, set)));
        if let Some(set) = newer() {
            return Some(set);
        }
        wait(self.0.begin(Reason::Token)).await;
        newer()
    }
}

/// Waits for the end of a reading. A sender that is gone is the end.
async fn wait(reading: Option<watch::Receiver<()>>) {
    if let Some(mut reading) = reading {
        let _ = reading.changed().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Joins the reading that is under way, or begins one. `None`: a token is no reason to read yet.
    fn begin(self: &Arc<Self>, reason: Reason) -> Option<watch::Receiver<()>> {
        let mut readings = lock(&self.readings);
        if let Some(under_way) = &readings.under_way {
            return Some(under_way.clone());
        }
        let pause = if self.current.load().is_some() { PAUSE } else { FIRST };
        if reason == Reason::Token && readings.ended.is_some_and(|ended| ended.elapsed() < pause) {
            return None;
        }
        let (over, receiver) = watch::channel(());
        readings.under_way = Some(receiver.clone());
        drop(readings);
        let reading = Reading { inner: Arc::clone(self), reason, _over: over };
        self.runtime.spawn(async move { reading.inner.read().await });
        Some(receiver)
    }

    async fn read(&self) {
        match self.source.read().await {
            Ok(set) => {
                let set = Arc::new(set);
                self.current.store(Some(Arc::clone(&set)));
                // What is said has taken place: whoever reads it may send a token.
                log::info!("token keys: {} read from {}", set.len(), self.source);
                self.log_remarks(set.remarks());
            }
            Err(failure) => self.log_failure(failure),
        }
    }

    fn log_failure(&self, failure: String) {
        let mut logged = lock(&self.logged);
        if logged.failure.as_ref() != Some(&failure) {
            log::error!("token keys: read {}: {failure}; the last good ones stay", self.source);
        }
        logged.failure = Some(failure);
    }

    fn log_remarks(&self, remarks: &[Remark]) {
        let mut logged = lock(&self.logged);
        logged.failure = None;
        if logged.remarks == remarks {
            return;
        }
        for remark in remarks.iter().take(MOST_NAMED) {
            log::log!(remark.level, "token keys: {remark}");
        }
        if let Some(more @ 1..) = remarks.len().checked_sub(MOST_NAMED) {
            log::warn!("token keys: {more} more keys are left out or carry a warning");
        }
        logged.remarks = remarks.to_vec();
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            // A query may have a key in it by which the provider knows its clients.
            Self::Url(url) => f.write_str(url.split('?').next().unwrap_or_default()),
        }
    }
}
