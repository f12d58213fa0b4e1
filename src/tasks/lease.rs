//! The process's sign of life: its row in `writers`. It is renewed on a thread and a connection of its own, so that no
//! amount of work can delay it.

use std::time::Duration;

use uuid::Uuid;

use super::repeating::{Repeated, RepeatingThread};
use crate::db::{Connector, DbError, Session, writers};

/// A lease that is renewed until this is dropped, and then given up.
pub struct Lease(RepeatingThread);

/// How long the end of the process waits for its lease to be given up. A lease that is not given up runs out.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

impl Lease {
    /// Starts to renew the lease of `process`, three times in each `lease`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(connector: Connector, process: Uuid, lease: Duration) -> std::io::Result<Self> {
        let renewal = Renewal { connector, process, lease, session: None };
        RepeatingThread::start("lease", renewal).map(Self)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.0.stop(STOP_TIMEOUT) {
            log::warn!("the database does not answer: the lease is left to run out");
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
        // A former primary would believe in the lease, and nobody else.
        self.session.take_if(|open| open.is_outdated());
        let session = match &mut self.session {
            Some(open) => open,
            None => self.session.insert(self.connector.connect()?),
        };
        writers::renew(&mut session.conn, self.process, self.lease)
    }
}

impl Repeated for Renewal {
    fn run(&mut self) -> Duration {
        match self.renew() {
            Ok(()) => self.lease / 3,
            Err(error) => {
                log::debug!("renew the lease: {error}; trying again");
                self.session = None;
                Duration::from_secs(1).min(self.lease / 3)
            }
        }
    }

    fn end(self) {
        if let Some(mut session) = self.session
            && let Err(error) = writers::leave(&mut session.conn, self.process)
        {
            log::debug!("give the lease up: {error}");
        }
    }
}
