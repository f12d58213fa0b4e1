//! An identity provider's key set at an address. It counts its requests, and can be made to fail.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Builder, Server, SigningKey, TIMEOUT, assert_eventually, key_set};
use crate::engine::ClosablePort;

pub struct Provider {
    port: ClosablePort,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answer: Mutex<Vec<u8>>,
    /// Its certificate; `None`: it speaks plain HTTP.
    tls: Mutex<Option<Arc<ServerConfig>>>,
    asked: AtomicUsize,
    /// The head of the last request.
    head: Mutex<String>,
    /// The connection stays open after the answer, and nothing follows.
    stalls: AtomicBool,
}

impl Provider {
    pub fn new(keys: &[&SigningKey]) -> Self {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let port = ClosablePort::open(move |client| {
            let shared = Arc::clone(&own);
            async move {
                let client = client.into_std().expect("a connection");
                client.set_nonblocking(false).expect("wait for it");
                let _ = tokio::task::spawn_blocking(move || shared.serve(client)).await;
            }
        });
        let provider = Self { port, shared };
        provider.publish(keys);
        provider
    }

    pub fn url(&self) -> String {
        let scheme = if lock(&self.shared.tls).is_some() { "https" } else { "http" };
        format!("{scheme}://{}/keys", self.port.address())
    }

    /// From now on it speaks TLS with this configuration.
    pub fn present(&self, tls: Arc<ServerConfig>) {
        *lock(&self.shared.tls) = Some(tls);
    }

    pub fn publish(&self, keys: &[&SigningKey]) {
        self.answer("200 OK", "", &key_set(keys));
    }

    /// From now on it sends this answer.
    pub fn answer(&self, status: &str, lines: &str, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{lines}\r\n{body}");
        *lock(&self.shared.answer) = text.into_bytes();
    }

    /// Closes the port (connections are refused), or opens it again.
    pub fn set_open(&self, open: bool) {
        self.port.set_open(open);
    }

    /// From now on it accepts connections and does not answer.
    pub fn hang(&self) {
        lock(&self.shared.answer).clear();
    }

    /// From now on it sends an answer with this body that is never complete.
    pub fn stall_after(&self, body: &str) {
        self.shared.stalls.store(true, Ordering::SeqCst);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len() + 1);
        *lock(&self.shared.answer) = format!("{head}{body}").into_bytes();
    }

    /// Returns the head of the last request, in lower case.
    pub fn last_head(&self) -> String {
        lock(&self.shared.head).to_lowercase()
    }

    /// Returns the number of requests for its keys.
    pub fn fetches(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Starts a server that accepts this provider's tokens, and waits until it has read the keys.
    pub fn server(&self) -> Server {
        let server = self.settings(Server::builder()).start();
        assert_eventually("the keys are read", TIMEOUT, || server.log().contains("token keys: "));
        server
    }

    pub fn settings(&self, builder: Builder) -> Builder {
        builder.issuer().set("JWT_JWKS_URL", self.url())
    }
}

impl Shared {
    fn serve(&self, client: std::net::TcpStream) {
        let tls = lock(&self.tls).clone();
        match tls {
            None => self.answer(client),
            Some(tls) => self.answer(StreamOwned::new(ServerConnection::new(tls).expect("TLS"), client)),
        }
    }

    fn answer(&self, mut client: impl Read + Write) {
        let (mut head, mut buffer) = (vec![], [0; 1024]);
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let Ok(n @ 1..) = client.read(&mut buffer) else { return };
            head.extend_from_slice(&buffer[..n]);
        }
        *lock(&self.head) = String::from_utf8_lossy(&head).into_owned();
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = lock(&self.answer).clone();
        // An empty answer means none: the connection stays open.
        if answer.is_empty() {
            let _ = client.read(&mut buffer);
        }
        let _ = client.write_all(&answer).and_then(|()| client.flush());
        if self.stalls.load(Ordering::SeqCst) {
            let _ = client.read(&mut buffer);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
