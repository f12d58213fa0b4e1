//! Wakes the appliances that wait for a request, on one thread and one connection, however many wait.
//!
//! Postgres' notifications are quick, but only a hint: one that is sent while nobody listens is lost. So every second,
//! and at once after connecting, one query asks which of the systems that are waited for have a request that they were
//! not given. A lost notification costs a second. Only a notification tells that somebody asked again for what the
//! appliance was given already: the table says the same as before.

use std::time::{Duration, Instant};

use super::repeating::{Repeated, RepeatingThread};
use crate::backups::Waiters;
use crate::db::{Connector, DbError, Session, backup_requests, notifications};

/// Listens for requests until it is dropped.
pub struct RequestListener(RepeatingThread);

/// Between two looks for notifications: libpq can be asked what has come, but not be made to wait for it.
const TICK: Duration = Duration::from_millis(100);
/// Between two looks at the table, and between two attempts to connect.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end of the process waits for a query that hangs.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

impl RequestListener {
    /// Starts to listen on behalf of `waiters`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(connector: Connector, waiters: Waiters) -> std::io::Result<Self> {
        let listening = Listening { connector, waiters, session: None, looked: None, failing: false };
        RepeatingThread::start("requests", listening).map(Self)
    }
}

impl Drop for RequestListener {
    fn drop(&mut self) {
        self.0.stop(STOP_TIMEOUT);
    }
}

struct Listening {
    connector: Connector,
    waiters: Waiters,
    session: Option<Session>,
    /// When the table was last looked at on this connection.
    looked: Option<Instant>,
    /// The last attempt failed, and that was logged.
    failing: bool,
}

impl Listening {
    fn wake_who_is_asked(&mut self) -> Result<(), DbError> {
        self.session.take_if(|open| open.is_outdated());
        let session = match &mut self.session {
            Some(open) => open,
            None => {
                let mut new = self.connector.connect()?;
                notifications::listen(&mut new.conn)?;
                // What was sent before is lost: look at the table now.
                self.looked = None;
                self.session.insert(new)
            }
        };
        let conn = &mut session.conn;
        let heard = notifications::heard(conn)?;
        let waiting = self.waiters.systems();
        // Whoever was only claimed to be asked stays asleep: a flood of notifications costs one query a tick.
        let named: Vec<_> = waiting.iter().copied().filter(|system| heard.contains(system)).collect();
        let mut asked =
            if named.is_empty() { vec![] } else { backup_requests::systems_with_open(conn, &named)? };
        if self.looked.is_none_or(|at| at.elapsed() >= CHECK_INTERVAL) {
            self.looked = Some(Instant::now());
            if !waiting.is_empty() {
                asked.extend(backup_requests::systems_with_pending(conn, &waiting)?);
            }
        }
        for system in asked {
            self.waiters.wake(system);
        }
        Ok(())
    }
}

impl Repeated for Listening {
    fn run(&mut self) -> Duration {
        match self.wake_who_is_asked() {
            Ok(()) => {
                self.failing = false;
                TICK
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    log::warn!("listen for requests: {error}; trying again every second");
                }
                self.session = None;
                CHECK_INTERVAL
            }
        }
    }

    fn end(self) {}
}
