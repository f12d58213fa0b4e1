//! The connector: the only way to a database session. It opens the session, and checks which server it leads to before any
//! query.
//!
//! * The first session of a process is checked closely: does a pooler share it ([`pooler`]), and do other hosts of
//!   `DATABASE_URL` know a newer timeline ([`server`])? No session is returned before that check has succeeded once.
//! * Every session's server is compared with the primary that was seen before. A former primary and another cluster are
//!   refused.
//! * When a newer timeline is seen, sessions on older timelines are not used any more ([`Session::is_outdated`]).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::{establish, open, prepare};
use super::connection_string::ConnectionString;
use super::limited::limited;
use super::server::{self, KnownPrimary, Server, ServerRefusal};
use super::{Conn, DbError, pooler};

/// The least time between two log lines about a refused server.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// How long a server may take for a statement about itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first statements of a session may take for each host: longer than the checks of the first session.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long no session is opened, for each set-up that never got an answer: each is a thread here, and may be a session of the server.
const PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// Opens sessions, and remembers which servers it has seen. Clones are cheap and share that memory.
#[derive(Clone)]
pub struct Connector(Arc<ConnectorState>);

struct ConnectorState {
    address: ConnectionString,
    known: Mutex<Option<KnownPrimary>>,
    /// The timeline of `known`, which sessions read without a lock.
    newest: Arc<AtomicI64>,
    /// Whether the first session was checked.
    checked: Mutex<bool>,
    /// When an error was last logged.
    logged: Mutex<Option<Instant>>,
    /// Each set-up that is under way has a clone of it, also if nobody waits for it any more.
    set_ups: Arc<()>,
    /// When a set-up was last given up.
    given_up: Mutex<Option<Instant>>,
}

/// A session on a server that is not known to be a former primary.
pub struct Session {
    pub conn: Conn,
    /// The timeline that the server writes; `None` for a standby, and for a server that does not report it.
    timeline: Option<i64>,
    newest: Arc<AtomicI64>,
}

impl Session {
    /// Whether a newer timeline was seen since. Then this session's server is no longer the primary.
    pub fn is_outdated(&self) -> bool {
        self.timeline.is_some_and(|timeline| timeline < self.newest.load(Ordering::Relaxed))
    }
}

impl Connector {
    /// Makes a connector. Does not connect. `None` if libpq does not understand the connection string.
    pub fn new(database_url: &str) -> Option<Self> {
        let address = ConnectionString::parse(database_url)?;
        let newest = Arc::new(AtomicI64::new(i64::MIN));
        let state = ConnectorState {
            address,
            known: Mutex::default(),
            newest,
            checked: Mutex::default(),
            logged: Mutex::default(),
            set_ups: Arc::default(),
            given_up: Mutex::default(),
        };
        Some(Self(Arc::new(state)))
    }

    /// Opens a session; blocks for some seconds at most for each address of each host.
    ///
    /// libpq limits only the time until it is connected. If the first statements get no answer, the pool must not wait for
    /// them: it opens sessions with three threads, and while all of them wait it opens none, also when Postgres is back.
    pub fn connect(&self) -> Result<Session, DbError> {
        let under_way = Arc::clone(&self.0.set_ups);
        if lock(&self.0.given_up).is_some_and(|at| at.elapsed() < pause_after(&under_way)) {
            return Err(unanswered());
        }
        let conn = establish(&self.0.address)?;
        let hosts = u32::try_from(self.0.address.each_host().len()).unwrap_or(1);
        let this = self.clone();
        let set_up = move || {
            let session = this.set_up(conn);
            drop(under_way);
            session
        };
        limited("session", SET_UP_TIMEOUT * hosts.max(1), set_up).unwrap_or_else(|| {
            *lock(&self.0.given_up) = Some(Instant::now());
            Err(unanswered())
        })
    }

    fn set_up(&self, mut conn: Conn) -> Result<Session, DbError> {
        prepare(&mut conn)?;
        let mut conn = self.check_first(conn)?;
        let server = server::identify(&mut conn)?;
        match self.admit(server) {
            Ok(()) => Ok(self.session(conn, server)),
            // libpq uses the first host that answers and has the requested attributes. Another host may be the primary.
            Err(refusal) => {
                let hosts = self.0.address.hosts();
                let refused =
                    || self.log_error(DbError::Unavailable(format!("not using {hosts}: {refusal}")));
                self.connect_elsewhere().ok_or_else(refused)
            }
        }
    }

    fn session(&self, conn: Conn, server: Option<Server>) -> Session {
        let timeline = server.filter(|server| !server.standby).map(|server| server.timeline);
        Session { conn, timeline, newest: Arc::clone(&self.0.newest) }
    }

    /// Compares a server with the known primary, and remembers it.
    fn admit(&self, server: Option<Server>) -> Result<(), ServerRefusal> {
        let Some(server) = server else { return Ok(()) };
        let mut known = lock(&self.0.known);
        let now = server::judge(*known, server)?;
        *known = Some(now);
        self.0.newest.store(now.timeline, Ordering::Relaxed);
        Ok(())
    }

    /// Checks the first session. Other callers wait meanwhile. So nothing here waits for an answer without a limit.
    fn check_first(&self, conn: Conn) -> Result<Conn, DbError> {
        let mut checked = lock(&self.0.checked);
        if *checked {
            return Ok(conn);
        }
        let conn = match pooler::check(conn, &self.0.address) {
            Err(error @ DbError::Setting(_)) => return Err(self.log_error(error)),
            checked => checked?,
        };
        let identify = move || {
            let mut conn = conn;
            let server = server::identify(&mut conn)?;
            Ok((conn, server))
        };
        let identified = limited("identify", ANSWER_TIMEOUT, identify);
        let (conn, server) = identified.unwrap_or_else(|| Err(unanswered()))?;
        // The first server contradicts nothing: no other is known.
        if self.admit(server).is_ok() {
            self.check_hosts();
        }
        *checked = true;
        Ok(conn)
    }

    /// Queries the timeline of every host, also of read-only hosts. A host that does not answer is ignored.
    fn check_hosts(&self) {
        let hosts = self.0.address.each_host();
        if hosts.len() < 2 {
            return;
        }
        let query = |host: ConnectionString| {
            let name = host.hosts();
            let identify = move || server::identify(&mut open(&host.with("target_session_attrs", b"any"))?);
            Some((name, limited("host", ANSWER_TIMEOUT, identify)?.ok()?))
        };
        thread::scope(|scope| {
            let queries =
                hosts.into_iter().map(|host| thread::Builder::new().spawn_scoped(scope, move || query(host)));
            let queries: Vec<_> = queries.flatten().collect();
            for (name, server) in queries.into_iter().filter_map(|query| query.join().ok().flatten()) {
                if let Err(refusal) = self.admit(server) {
                    log::warn!("not using {name}: {refusal}");
                }
            }
        });
    }

    /// Opens a session on the first of the hosts that is not refused; `None` if there is none, or only one host.
    fn connect_elsewhere(&self) -> Option<Session> {
        let hosts = self.0.address.each_host();
        if hosts.len() < 2 {
            return None;
        }
        hosts.iter().find_map(|host| {
            let mut conn = open(host).ok()?;
            let server = server::identify(&mut conn).ok()?;
            self.admit(server).ok().map(|()| self.session(conn, server))
        })
    }

    /// Returns the error, and logs it at most once a minute, because an operator has to act on it.
    fn log_error(&self, error: DbError) -> DbError {
        let mut logged = lock(&self.0.logged);
        if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            *logged = Some(Instant::now());
            log::error!("{error}");
        }
        error
    }
}

/// Returns how long to pause while so many set-ups hang. One clone is the connector's, one the caller's.
fn pause_after(set_ups: &Arc<()>) -> Duration {
    let hanging = u32::try_from(Arc::strong_count(set_ups)).unwrap_or(u32::MAX).saturating_sub(2);
    PAUSE.saturating_mul(hanging).min(MAX_PAUSE)
}

fn unanswered() -> DbError {
    DbError::Unavailable("it admits a session and does not answer its first statements".to_owned())
}

/// Locks, also after a panic under the lock: it leaves no broken state, because values are only replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
