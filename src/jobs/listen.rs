//! Wakes the appliances that wait for a request, on one connection and one thread of its own, however many wait.
//!
//! Postgres' notification is the quick way, and only a hint. Every second, and at once after the connection was
//! made anew, it is asked for all the systems that are waited for in one query: so a notification that
//! nobody heard costs a second.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use crate::backups::Waiters;
use crate::db::{self, Conn, DbError, notifications, requests};

/// Listens until it is dropped.
pub struct Listener {
    stop: Option<Sender<()>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// libpq can be asked what has come, not be waited for.
const TICK: Duration = Duration::from_millis(100);
/// Between two looks at the table, and two attempts to connect.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the end of the process waits for a query that hangs.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Listener {
    pub fn start(database_url: SecretString, waiters: Waiters) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let (ending, ended) = channel();
        let listen = move || {
            let _ending = ending;
            let mut ear = Ear { url: database_url, waiters, conn: None, looked: None };
            let (mut pause, mut deaf) = (Duration::ZERO, false);
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                pause = match ear.attend() {
                    Ok(()) => {
                        deaf = false;
                        TICK
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut deaf, true) {
                            log::warn!("listen for requests: {error}; trying again every second");
                        }
                        ear.conn = None;
                        LOOK_EVERY
                    }
                };
            }
        };
        thread::Builder::new().name("requests".to_owned()).spawn(listen)?;
        Ok(Self { stop: Some(stop), ended })
    }
}

struct Ear {
    url: SecretString,
    waiters: Waiters,
    conn: Option<Conn>,
    looked: Option<Instant>,
}

impl Ear {
    fn attend(&mut self) -> Result<(), DbError> {
        let conn = match &mut self.conn {
            Some(open) => open,
            None => {
                let mut new = db::connect(self.url.expose_secret())?;
                notifications::listen(&mut new)?;
                // What was told meanwhile was told to nobody.
                self.looked = None;
                self.conn.insert(new)
            }
        };
        for system in notifications::heard(conn)? {
            self.waiters.wake(system);
        }
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let waiting = self.waiters.systems();
        if !waiting.is_empty() {
            for system in requests::awaited_of(conn, &waiting)? {
                self.waiters.wake(system);
            }
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.take();
        let _ = self.ended.recv_timeout(LAST_WORDS);
    }
}
