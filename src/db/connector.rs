//! The only way to a database session: opens it, and checks which server it leads to before any query.
//!
//! * The first session of a process is checked closely: is there a pooler that shares it ([`pooler`]), and do other hosts of
//!   `DATABASE_URL` know of a newer timeline ([`server`])? Until that check has succeeded once there are no sessions.
//! * Every session is compared with what was seen before: a former primary and another cluster are refused.
//! * When a newer timeline is seen, sessions on older ones are not used any more: [`Session::is_outdated`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::open;
use super::connection_string::ConnectionString;
use super::server::{self, KnownPrimary, Server, ServerRefusal};
use super::{Conn, DbError, pooler};

/// Between two log lines about a refused server.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Opens sessions, and remembers which servers it has seen; cheap to clone, and then the same.
#[derive(Clone)]
pub struct Connector(Arc<Shared>);

struct Shared {
    address: ConnectionString,
    known: Mutex<Option<KnownPrimary>>,
    /// The timeline of `known`, to be read without a lock.
    newest: Arc<AtomicI64>,
    /// Whether the first session was checked.
    checked: Mutex<bool>,
    /// When an error was last logged.
    logged: Mutex<Option<Instant>>,
}

/// A session on a server that is not known to be a former primary.
pub struct Session {
    pub conn: Conn,
    /// `None`: a standby's, or a server's that does not tell.
    timeline: Option<i64>,
    newest: Arc<AtomicI64>,
}

impl Session {
    /// Whether a newer timeline was seen since: what it leads to is no longer the primary.
    pub fn is_outdated(&self) -> bool {
        self.timeline.is_some_and(|timeline| timeline < self.newest.load(Ordering::Relaxed))
    }
}

impl Connector {
    /// Does not connect yet. `None` if libpq does not understand the connection string.
    pub fn new(database_url: &str) -> Option<Self> {
        let address = ConnectionString::parse(database_url)?;
        let newest = Arc::new(AtomicI64::new(i64::MIN));
        let shared = Shared {
            address,
            known: Mutex::default(),
            newest,
            checked: Mutex::default(),
            logged: Mutex::default(),
        };
        Some(Self(Arc::new(shared)))
    }

    /// Opens a session; blocks for some seconds at most for each address of each host.
    pub fn connect(&self) -> Result<Session, DbError> {
        let conn = open(&self.0.address)?;
        let mut conn = self.check_first(conn)?;
        let server = server::ask(&mut conn)?;
        match self.admit(server) {
            Ok(()) => Ok(self.session(conn, server)),
            // libpq takes the first host that answers to what was asked for. Another one may be the primary.
            Err(refusal) => {
                let refused = || self.log_error(DbError::Unavailable(refusal.to_string()));
                self.connect_elsewhere().ok_or_else(refused)
            }
        }
    }

    fn session(&self, conn: Conn, server: Option<Server>) -> Session {
        let timeline = server.filter(|server| !server.standby).map(|server| server.timeline);
        Session { conn, timeline, newest: Arc::clone(&self.0.newest) }
    }

    /// Compares a server with what was seen before, and remembers it.
    fn admit(&self, server: Option<Server>) -> Result<(), ServerRefusal> {
        let Some(server) = server else { return Ok(()) };
        let mut known = lock(&self.0.known);
        let now = server::judge(*known, server)?;
        *known = Some(now);
        self.0.newest.store(now.timeline, Ordering::Relaxed);
        Ok(())
    }

    /// Checks the first session; other callers wait meanwhile. `conn` is open, so under the lock only a server that answers is
    /// waited for.
    fn check_first(&self, conn: Conn) -> Result<Conn, DbError> {
        let mut checked = lock(&self.0.checked);
        if *checked {
            return Ok(conn);
        }
        let mut conn = match pooler::check(conn, &self.0.address) {
            Err(error @ DbError::Setting(_)) => return Err(self.log_error(error)),
            checked => checked?,
        };
        let server = server::ask(&mut conn)?;
        // The first server contradicts nothing: no other is known.
        if self.admit(server).is_ok() {
            self.check_hosts();
        }
        *checked = true;
        Ok(conn)
    }

    /// Asks every host which timeline it knows, also those that are read-only. A host that does not answer is ignored.
    fn check_hosts(&self) {
        let hosts = self.0.address.each_host();
        if hosts.len() < 2 {
            return;
        }
        let ask = |host: ConnectionString| {
            let mut conn = open(&host.with("target_session_attrs", b"any")).ok()?;
            server::ask(&mut conn).ok()?
        };
        thread::scope(|scope| {
            let asked =
                hosts.into_iter().map(|host| thread::Builder::new().spawn_scoped(scope, move || ask(host)));
            let asked: Vec<_> = asked.flatten().collect();
            for server in asked.into_iter().filter_map(|host| host.join().ok()) {
                if let Err(refusal) = self.admit(server) {
                    log::warn!("ignoring one host in DATABASE_URL: {refusal}");
                }
            }
        });
    }

    fn connect_elsewhere(&self) -> Option<Session> {
        let hosts = self.0.address.each_host();
        if hosts.len() < 2 {
            return None;
        }
        hosts.iter().find_map(|host| {
            let mut conn = open(host).ok()?;
            let server = server::ask(&mut conn).ok()?;
            self.admit(server).ok().map(|()| self.session(conn, server))
        })
    }

    /// Returns the error. It needs an operator, so it is logged, once a minute.
    fn log_error(&self, error: DbError) -> DbError {
        let mut logged = lock(&self.0.logged);
        if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            *logged = Some(Instant::now());
            log::error!("{error}");
        }
        error
    }
}

/// A panic under the lock leaves no broken state: values are only ever replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
