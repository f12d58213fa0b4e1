//! The keys in use, and when they are read again.
//!
//! * A token with an unknown key id (`kid`) is a reason to read the set again, at most once a minute, whether that
//!   succeeds or not. So made-up ids cost the provider one request a minute.
//! * The set is read again every ten minutes, so that a key that was removed from it is not accepted any more; and every
//!   two seconds until it was read for the first time.
//! * A reading that fails changes nothing: the last good set stays.
//!
//! Tokens of known keys never wait. The set is read in a task of its own on the engine's threads, which is finished even
//! when whoever asked for it is gone.

use std::sync::{Arc, Mutex as Slot, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::fetch::KeySource;
use super::key_set::KeySet;

/// The least time between two readings that tokens are the reason for.
const PAUSE: Duration = Duration::from_mins(1);
/// The age from which a set is read again.
const OLD: Duration = Duration::from_mins(10);
/// Between two readings while there never was a set.
const FIRST: Duration = Duration::from_secs(2);

/// A key set that follows its source.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    source: KeySource,
    current: ArcSwapOption<KeySet>,
    /// When a token was last the reason to read.
    asked: Mutex<Option<Instant>>,
    /// The last failure that was logged: the same line every time would help nobody.
    logged: Slot<Option<String>>,
    engine: Handle,
}

impl Keys {
    /// Starts to read, now and for as long as the process lives.
    pub fn start(source: KeySource, engine: Handle) -> Self {
        let keys = Self(Arc::new(Inner {
            source,
            current: ArcSwapOption::empty(),
            asked: Mutex::default(),
            logged: Slot::default(),
            engine,
        }));
        let inner = Arc::clone(&keys.0);
        keys.0.engine.spawn(async move {
            loop {
                inner.read().await;
                sleep(if inner.current.load().is_some() { OLD } else { FIRST }).await;
            }
        });
        keys
    }

    /// The last good set; `None`: there never was one.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.0.current.load_full()
    }

    /// Reads the source again for a token, unless that was done within the last minute. `seen` is the set in which the
    /// caller has found no key: if another one has been read meanwhile, nothing is read.
    pub async fn renew(&self, seen: Option<&Arc<KeySet>>) {
        let inner = Arc::clone(&self.0);
        let seen = seen.map(Arc::clone);
        let task = self.0.engine.spawn(async move {
            let mut asked = inner.asked.lock().await;
            let now = inner.current.load_full();
            if now.as_ref().map(Arc::as_ptr) == seen.as_ref().map(Arc::as_ptr) {
                inner.read_if_due(&mut asked).await;
            }
        });
        // This fails only when the process ends.
        let _ = task.await;
    }
}

impl Inner {
    async fn read_if_due(&self, asked: &mut Option<Instant>) {
        let pause = if self.current.load().is_some() { PAUSE } else { FIRST };
        if asked.is_none_or(|at| at.elapsed() >= pause) {
            *asked = Some(Instant::now());
            self.read().await;
        }
    }

    async fn read(&self) {
        match self.source.read().await {
            Ok(set) => {
                let count = set.len();
                self.current.store(Some(Arc::new(set)));
                // What is said has taken place: whoever reads it may send a token.
                log::info!("token keys: {count} read from {}", self.source);
                self.log_change(None);
            }
            Err(error) => self.log_change(Some(error)),
        }
    }

    fn log_change(&self, trouble: Option<String>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = trouble.as_ref().filter(|text| logged.as_ref() != Some(*text)) {
            log::error!("token keys: read {}: {text}; the last good ones stay", self.source);
        }
        *logged = trouble;
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}
