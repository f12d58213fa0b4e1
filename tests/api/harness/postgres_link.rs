//! A proxy in front of Postgres that injects faults.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::{ConnectionEnd, Database, LinkFault};
use crate::engine::ClosablePort;

#[derive(Clone, Copy, Default)]
struct State {
    fault: Option<LinkFault>,
    /// How often a fault affected all connections; each compares it with the value at its own start.
    hit: usize,
    /// The last `hit` that was [`LinkFault::PacketsLost`]. It affects a connection also if the repair follows at once.
    lost: usize,
    /// The number of changes: each one releases the connections that hang, and resets them.
    epoch: usize,
}

struct Shared {
    state: watch::Sender<State>,
    /// Postgres' address: a path, or an address and a port.
    upstream: Mutex<String>,
    commits_hit: AtomicUsize,
    swallowed: AtomicUsize,
    /// Texts in Postgres' messages, and their replacements of the same length.
    translations: Mutex<Vec<(&'static str, &'static str)>>,
}

pub struct PostgresLink {
    port: ClosablePort,
    url: String,
    shared: Arc<Shared>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl PostgresLink {
    pub fn to(database: &Database) -> Self {
        let upstream = database.one(
            "SELECT coalesce(host(inet_server_addr()) || ':' || inet_server_port(),
                 split_part(current_setting('unix_socket_directories'), ',', 1) || '/.s.PGSQL.' || current_setting('port'))",
        );
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::default()),
            upstream: Mutex::new(upstream),
            commits_hit: AtomicUsize::new(0),
            swallowed: AtomicUsize::new(0),
            translations: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let port = ClosablePort::open(move |client| {
            let shared = Arc::clone(&own);
            async move {
                shared.serve(client).await;
            }
        });
        let user = user_info(database.url()).unwrap_or_else(|| database.one("SELECT current_user"));
        let name = database.one("SELECT current_database()");
        let url = format!("postgres://{user}@{}/{name}?sslmode=disable", port.address());
        Self { port, url, shared }
    }

    pub fn port(&self) -> u16 {
        self.port.address().port()
    }

    /// The service's `DATABASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn inject(&self, fault: LinkFault) {
        self.shared.commits_hit.store(0, Ordering::Relaxed);
        self.change(Some(fault), !fault.is_of_a_commit());
    }

    /// Ends the fault; connections that hang are reset. Returns how many COMMITs were affected.
    pub fn repair(&self) -> usize {
        self.change(None, false);
        self.shared.commits_hit.load(Ordering::Relaxed)
    }

    /// Returns how many connections were swallowed.
    pub fn swallowed(&self) -> usize {
        self.shared.swallowed.load(Ordering::Relaxed)
    }

    /// Resets all connections, as a restart of Postgres would; new ones work.
    pub fn cut(&self) {
        self.change(None, true);
    }

    /// Resets all connections, and forwards new ones to another Postgres: a path, or an address and a port.
    pub fn redirect_to(&self, upstream: String) {
        *lock(&self.shared.upstream) = upstream;
        self.cut();
    }

    /// Forwards new connections to another Postgres; existing ones stay.
    pub fn redirect_new_connections_to(&self, upstream: String) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// Replaces `from` by `to` in Postgres' messages from now on.
    pub fn translate(&self, from: &'static str, to: &'static str) {
        assert_eq!(from.len(), to.len(), "a message is preceded by its length");
        lock(&self.shared.translations).push((from, to));
    }

    fn change(&self, fault: Option<LinkFault>, hit: bool) {
        self.port.set_open(fault != Some(LinkFault::Refused));
        self.shared.state.send_modify(|state| {
            let (hit, epoch) = (state.hit + usize::from(hit), state.epoch + 1);
            let lost = if fault == Some(LinkFault::PacketsLost) { hit } else { state.lost };
            *state = State { fault, hit, lost, epoch };
        });
    }
}

/// Returns the `user:password` of a URL that has it.
fn user_info(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    Some(authority.rsplit_once('@')?.0.to_owned())
}

impl Shared {
    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        let upstream = lock(&self.upstream).clone();
        if upstream.starts_with('/') {
            return Ok(Box::new(UnixStream::connect(upstream).await?));
        }
        Ok(Box::new(TcpStream::connect(upstream).await?))
    }

    async fn serve(&self, mut client: TcpStream) {
        let mut changes = self.state.subscribe();
        let mut born = *changes.borrow_and_update();
        match born.fault {
            Some(LinkFault::Refused | LinkFault::Reset) => return reset(&client),
            Some(LinkFault::BlackHole) => {
                let _ = changes.changed().await;
                return reset(&client);
            }
            Some(LinkFault::Frozen) => drop(changes.changed().await),
            Some(LinkFault::PacketsLost) => return self.swallow(client).await,
            _ => {}
        }
        let Ok(mut postgres) = self.connect().await else { return reset(&client) };
        let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            tokio::select! {
                biased;
                _ = changes.changed() => {
                    let now = *changes.borrow_and_update();
                    if now.hit > born.hit {
                        if now.lost > born.hit {
                            return self.swallow(client).await;
                        }
                        if matches!(now.fault, Some(LinkFault::BlackHole | LinkFault::Frozen)) {
                            let _ = changes.changed().await;
                        }
                        if now.fault != Some(LinkFault::Frozen) {
                            return reset(&client);
                        }
                        born.hit = now.hit;
                    }
                }
                read = client.read(&mut up) => {
                    let Ok(n @ 1..) = read else { return };
                    if born.fault == Some(LinkFault::SetUpLost) && up[0] == b'Q' {
                        return self.swallow(client).await;
                    }
                    if let Some((fault, epoch)) = self.take_commit(&up[..n]) {
                        let released = async move {
                            let _ = changes.wait_for(|state| state.epoch != epoch).await;
                        };
                        return self.break_commit(fault, client, postgres, &up[..n], released).await;
                    }
                    if postgres.write_all(&up[..n]).await.is_err() {
                        return;
                    }
                }
                read = postgres.read(&mut down) => {
                    let Ok(n @ 1..) = read else { return };
                    self.translate_message(&mut down[..n]);
                    if client.write_all(&down[..n]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Reads and drops data until the client disconnects.
    async fn swallow(&self, mut client: TcpStream) {
        self.swallowed.fetch_add(1, Ordering::Relaxed);
        let mut lost = vec![0; 1024];
        while client.read(&mut lost).await.is_ok_and(|n| n > 0) {}
    }

    /// If these bytes are a COMMIT: returns the fault for it, and the epoch in which the fault was set. Each
    /// fault affects one COMMIT.
    fn take_commit(&self, message: &[u8]) -> Option<(LinkFault, usize)> {
        if message.first() != Some(&b'Q') || !message.ends_with(b"COMMIT\0") {
            return None;
        }
        let mut taken = None;
        self.state.send_if_modified(|state| {
            if state.fault.is_some_and(LinkFault::is_of_a_commit) {
                taken = state.fault.take().map(|fault| (fault, state.epoch));
            }
            false
        });
        self.commits_hit.fetch_add(usize::from(taken.is_some()), Ordering::Relaxed);
        taken
    }

    /// `released` ends when the test changes the fault.
    async fn break_commit(
        &self,
        fault: LinkFault,
        client: TcpStream,
        mut postgres: Box<dyn Stream>,
        message: &[u8],
        released: impl Future<Output = ()>,
    ) {
        let (arrives, ending) = match fault {
            LinkFault::Commit(ending) => (false, ending),
            LinkFault::CommitAnswer(ending) => (true, ending),
            _ => {
                let _ = postgres.write_all(message).await;
                reset(&client);
                drop(client);
                let _ = postgres.read(&mut [0; 1024]).await;
                return;
            }
        };
        if arrives && postgres.write_all(message).await.is_ok() {
            let _ = postgres.read(&mut [0; 1024]).await;
        }
        if ending == ConnectionEnd::Hangs {
            released.await;
        }
        reset(&client);
    }

    fn translate_message(&self, message: &mut [u8]) {
        for (from, to) in lock(&self.translations).iter() {
            let found = message.windows(from.len()).position(|window| window == from.as_bytes());
            if let Some(at) = found {
                message[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
    }
}

/// Makes the connection end with a reset when it is dropped.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
