//! The keys in use, and when they are read again.
//!
//! * A key that nobody knows (an unknown `kid`) is a reason to read the set again, at most once a minute, whether
//!   that succeeds or not: whoever makes up ids costs the provider one request a minute.
//! * A set that is older than [`OLD`] is read again by the way, so that a key that was taken out of it ends here, too.
//! * What can't be read changes nothing: the last good set stays.
//!
//! Tokens of known keys never wait. Reading is done on the engine's threads, in a task of its own: it is finished
//! also when whoever asked for it is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::fetch::KeySource;
use super::key_set::KeySet;

/// The least time between two readings that tokens are the reason for.
const PAUSE: Duration = Duration::from_mins(1);
/// The age from which a set is read again.
const OLD: Duration = Duration::from_mins(10);

/// A key set that follows its source.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    source: KeySource,
    current: ArcSwapOption<Loaded>,
    /// When tokens last were the reason to read.
    asked: Mutex<Option<Instant>>,
    engine: Handle,
}

/// A set and its age.
pub(super) struct Loaded {
    pub set: KeySet,
    read_at: Instant,
}

impl Keys {
    /// Begins to read; whoever comes before that is done reads as well.
    pub fn start(source: KeySource, engine: Handle) -> Self {
        let keys = Self(Arc::new(Inner {
            source,
            current: ArcSwapOption::empty(),
            asked: Mutex::default(),
            engine,
        }));
        let first = Arc::clone(&keys.0);
        keys.0.engine.spawn(async move { first.read().await });
        keys
    }

    /// The last good set; `None`: there never was one.
    pub fn current(&self) -> Option<Arc<Loaded>> {
        let loaded = self.0.current.load_full();
        if loaded.as_ref().is_some_and(|loaded| loaded.read_at.elapsed() > OLD) {
            let inner = Arc::clone(&self.0);
            // Nobody waits for it; if somebody reads already, that will do.
            self.0.engine.spawn(async move {
                if let Ok(mut asked) = inner.asked.try_lock() {
                    inner.read_if_due(&mut asked).await;
                }
            });
        }
        loaded
    }

    /// Reads the source again, unless that was done within the last minute. `seen` is what the caller has looked
    /// into: if there is another set by now, that is one to look into first.
    pub async fn renew(&self, seen: Option<&Arc<Loaded>>) {
        let inner = Arc::clone(&self.0);
        let seen = seen.map(Arc::clone);
        let task = self.0.engine.spawn(async move {
            let mut asked = inner.asked.lock().await;
            let now = inner.current.load_full();
            if now.as_ref().map(Arc::as_ptr) == seen.as_ref().map(Arc::as_ptr) {
                inner.read_if_due(&mut asked).await;
            }
        });
        // It can only fail when the process ends.
        let _ = task.await;
    }
}

impl Inner {
    async fn read_if_due(&self, asked: &mut Option<Instant>) {
        if asked.is_none_or(|at| at.elapsed() >= PAUSE) {
            *asked = Some(Instant::now());
            self.read().await;
        }
    }

    async fn read(&self) {
        match self.source.read().await {
            Ok(set) => {
                log::info!("token keys: {} read from {}", set.len(), self.source);
                self.current.store(Some(Arc::new(Loaded { set, read_at: Instant::now() })));
            }
            Err(error) => log::error!("token keys: read {}: {error}", self.source),
        }
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
