//! The process's sign of life: its row in `writers`, renewed on a connection and a thread of its
//! own, so that no amount of work can keep it waiting.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::db::{self, Conn, DbError, writers};

/// Renews the lease until it is dropped.
pub struct Lease {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lease {
    /// Starts renewing, three times in a lease.
    pub fn start(database_url: SecretString, process: Uuid, lease: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let renew = move || {
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
        let thread = thread::Builder::new().name("lease".to_owned()).spawn(renew)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
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
        if let Some(thread) = self.thread.take() {
            // It has logged what went wrong, if anything did.
            let _ = thread.join();
        }
    }
}
