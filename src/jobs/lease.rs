//! The process's sign of life: its row in `writers`, renewed on a connection and a thread of its
//! own, so that no amount of work can keep it waiting.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::db::{self, Conn, DbError, writers};

/// Renews the lease until it is dropped.
pub struct Lease {
    stop: Option<Sender<()>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// How long the end of the process waits for its lease to be given up. A database that hangs would keep
/// the thread, and the process, for as long as it likes; a lease that was not given up runs out.
const LAST_WORDS: Duration = Duration::from_secs(3);

impl Lease {
    /// Starts renewing, three times in a lease.
    pub fn start(database_url: SecretString, process: Uuid, lease: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let (ending, ended) = channel();
        let renew = move || {
            let _ending = ending;
            let mut conn: Option<Conn> = None;
            let mut pause = Duration::ZERO;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                pause = match renew_once(&mut conn, database_url.expose_secret(), process, lease) {
                    Ok(()) => lease / 3,
                    Err(error) => {
                        log::debug!("renew the lease: {error}; trying again");
                        conn = None;
                        Duration::from_secs(1).min(lease / 3)
                    }
                };
            }
            if let Some(mut conn) = conn
                && let Err(error) = writers::leave(&mut conn, process)
            {
                log::debug!("give the lease up: {error}");
            }
        };
        thread::Builder::new().name("lease".to_owned()).spawn(renew)?;
        Ok(Self { stop: Some(stop), ended })
    }
}

fn renew_once(conn: &mut Option<Conn>, url: &str, process: Uuid, lease: Duration) -> Result<(), DbError> {
    let open = match conn {
        Some(open) => open,
        None => conn.insert(db::connect(url)?),
    };
    writers::renew(open, process, lease)
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop.take();
        if matches!(self.ended.recv_timeout(LAST_WORDS), Err(RecvTimeoutError::Timeout)) {
            log::warn!("the database does not answer: the lease is left to run out");
        }
    }
}
