//! Wakes the systems that wait for a backup request, on one thread and one connection, however many wait.
//!
//! Postgres' notifications are fast, but only a hint: one that is sent while no session listens is lost. So every second,
//! and at once after connecting, one query finds the waiting systems that have a backup request that they have not received.
//! A lost notification costs a second. Only a notification shows that a backup was requested again after the system received
//! the request: the query does not find that.

use std::time::{Duration, Instant};

use super::db_failure;
use super::supervisor::{Period, SupervisedThread, Supervisor, TaskDefinition, ThreadTask};
use crate::backups::Waiters;
use crate::db::{Connector, DbError, Session, backup_requests, notifications};
use crate::telemetry::TaskFailure;

/// Listens for backup requests until it is dropped.
pub struct BackupRequestListener(SupervisedThread);

/// The time between two checks for notifications: libpq can return those that have arrived, but not wait for one.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The time between two queries of the table, and between two attempts to connect.
const QUERY_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end of the process waits for a query that hangs.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_RUN: Duration = Duration::from_mins(1);

impl BackupRequestListener {
    /// Starts to listen on behalf of `waiters`.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(supervisor: &Supervisor, connector: Connector, waiters: Waiters) -> std::io::Result<Self> {
        let task = TaskDefinition::new("listen", Period::SinceStart(CHECK_INTERVAL)).max_run(MAX_RUN);
        let listening = move || Listening {
            connector: connector.clone(),
            waiters: waiters.clone(),
            session: None,
            queried: None,
        };
        supervisor.start_thread(task, listening).map(Self)
    }
}

impl Drop for BackupRequestListener {
    fn drop(&mut self) {
        self.0.stop(STOP_TIMEOUT);
    }
}

struct Listening {
    connector: Connector,
    waiters: Waiters,
    session: Option<Session>,
    /// When the table was last queried on this connection.
    queried: Option<Instant>,
}

impl Listening {
    fn wake_requested_systems(&mut self) -> Result<(), DbError> {
        self.session.take_if(|open| open.is_outdated());
        let session = match &mut self.session {
            Some(open) => open,
            None => {
                let mut new = self.connector.connect()?;
                notifications::listen(&mut new.conn)?;
                // Earlier notifications are lost: query the table now.
                self.queried = None;
                self.session.insert(new)
            }
        };
        let conn = &mut session.conn;
        let notified = notifications::received(conn)?;
        let waiting = self.waiters.systems();
        // Only the table decides which systems are woken: a flood of forged notifications costs one query in each check.
        let named: Vec<_> = waiting.iter().copied().filter(|system| notified.contains(system)).collect();
        let mut requested =
            if named.is_empty() { vec![] } else { backup_requests::systems_with_open(conn, &named)? };
        if self.queried.is_none_or(|at| at.elapsed() >= QUERY_INTERVAL) {
            self.queried = Some(Instant::now());
            if !waiting.is_empty() {
                requested.extend(backup_requests::systems_with_pending(conn, &waiting)?);
            }
        }
        for system in requested {
            self.waiters.wake(system);
        }
        Ok(())
    }
}

impl ThreadTask for Listening {
    fn run_once(&mut self) -> Result<(), TaskFailure> {
        self.wake_requested_systems().map_err(|error| {
            self.session = None;
            db_failure(error).retry_after(QUERY_INTERVAL)
        })
    }

    fn stop(self) {}
}
