//! The lease of this process: its row in `writers`. A thread with a connection of its own renews it, so that no
//! amount of work can delay a renewal.

use std::time::Duration;

use uuid::Uuid;

use super::db_failure;
use super::supervisor::{Period, SupervisedThread, Supervisor, TaskDefinition, ThreadTask};
use crate::db::{Connector, DbError, Session, writers};
use crate::telemetry::TaskFailure;

/// A lease that is renewed until this is dropped, and then released.
pub struct Lease(SupervisedThread);

/// How long the end of the process waits for the release of its lease. A lease that is not released expires.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// A renewal is reported as stalled if it takes longer than this and longer than a lease.
const MIN_MAX_RUN: Duration = Duration::from_secs(30);

impl Lease {
    /// Starts to renew the lease of `process`, three times in each `lease`.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(
        supervisor: &Supervisor,
        connector: Connector,
        process: Uuid,
        lease: Duration,
    ) -> std::io::Result<Self> {
        // After a panic the lease must be renewed before it expires.
        let interval = lease / 3;
        let task = TaskDefinition::new("lease", Period::SinceStart(interval))
            .max_run(lease.max(MIN_MAX_RUN))
            .max_restart_delay(interval);
        let renewal = move || Renewal { connector: connector.clone(), process, lease, session: None };
        supervisor.start_thread(task, renewal).map(Self)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.0.stop(STOP_TIMEOUT) {
            log::warn!(
                "could not release the lease: the database does not answer. The lease expires by itself, nothing has to be done"
            );
        }
    }
}

struct Renewal {
    connector: Connector,
    process: Uuid,
    lease: Duration,
    session: Option<Session>,
}

impl Renewal {
    fn renew(&mut self) -> Result<(), DbError> {
        // No other process sees a lease in a former primary.
        self.session.take_if(|open| open.is_outdated());
        let session = match &mut self.session {
            Some(open) => open,
            None => self.session.insert(self.connector.connect()?),
        };
        writers::renew(&mut session.conn, self.process, self.lease)
    }
}

impl ThreadTask for Renewal {
    fn run_once(&mut self) -> Result<(), TaskFailure> {
        self.renew().map_err(|error| {
            self.session = None;
            db_failure(error).retry_after(Duration::from_secs(1).min(self.lease / 3))
        })
    }

    fn stop(self) {
        if let Some(mut session) = self.session
            && let Err(error) = writers::leave(&mut session.conn, self.process)
        {
            log::debug!("could not release the lease: {error}");
        }
    }
}
