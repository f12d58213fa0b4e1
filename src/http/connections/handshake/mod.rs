//! The TLS handshake of a connection: bounded in time and in number, counted, and reported without filling the log.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::handshake_limits::{Admission, Limits};
use crate::domain::client_network::ClientNetwork;
use crate::http::log_limit::LogLimit;
use crate::telemetry::ConnectionMetrics;

/// How long a client may take, from its connection until the handshake is done, without its wait for a slot.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a connection waits for one of its origin's slots.
const SLOT: Duration = Duration::from_secs(10);
const LIMITS: Limits = Limits { handshakes: 1000, connections: 10_000 };

/// How the listener of an API performs handshakes.
pub struct Tls {
    api: &'static str,
    acceptor: TlsAcceptor,
    admission: Arc<Admission>,
    trusted_proxies: Vec<IpNet>,
    metrics: ConnectionMetrics,
    logged: LogLimit,
}

/// Why there is no stream.
enum Failure {
    /// The client's origin has too many connections.
    Crowded,
    TimedOut,
    /// The client closed the connection.
    Left,
    PlainHttp,
    /// Garbage, a client that can't speak what the server speaks, or one that does not accept the certificate.
    Broken(io::Error),
}

impl Tls {
    pub fn new(
        api: &'static str,
        acceptor: TlsAcceptor,
        trusted_proxies: Vec<IpNet>,
        metrics: ConnectionMetrics,
    ) -> Self {
        Self {
            api,
            acceptor,
            admission: Admission::new(LIMITS),
            trusted_proxies,
            metrics,
            logged: LogLimit::default(),
        }
    }

    /// Performs the handshake. The connection is closed if it fails.
    pub async fn handshake(&self, tcp: TcpStream, peer: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let open = self.metrics.handshake_open(self.api);
        let outcome = self.perform(tcp, peer.ip()).await;
        drop(open);
        let result = match &outcome {
            Ok(_) => "done",
            Err(failure) => failure.name(),
        };
        self.metrics.handshake_ended(self.api, result);
        outcome.inspect_err(|failure| self.report(failure, peer.ip())).ok()
    }

    async fn perform(&self, tcp: TcpStream, peer: IpAddr) -> Result<TlsStream<TcpStream>, Failure> {
        let mut deadline = Instant::now() + HANDSHAKE;
        let place = if self.counts(peer) {
            Some(self.admission.admit(ClientNetwork::of(Some(peer))).ok_or(Failure::Crowded)?)
        } else {
            None
        };
        let mut first = [0; 8];
        let length = timeout_at(deadline, tcp.peek(&mut first)).await??;
        let begun = Instant::now();
        let slot = match &place {
            Some(place) => timeout(SLOT, place.slot()).await.map_err(|_| Failure::Crowded)?,
            None => None,
        };
        deadline += begun.elapsed();
        let outcome = timeout_at(deadline, self.acceptor.accept(tcp)).await?;
        drop(slot);
        outcome.map_err(|error| match Failure::from(error) {
            Failure::Broken(_) if is_http(&first[..length]) => Failure::PlainHttp,
            failure => failure,
        })
    }

    /// A proxy's address, and this machine's, stands for all the clients behind it. It is not limited, or silent
    /// strangers could keep these out.
    fn counts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        !peer.is_loopback() && !self.trusted_proxies.iter().any(|proxies| proxies.contains(&peer))
    }

    /// Anybody can make a handshake fail, at any rate, so there is no more than a line a minute for each origin.
    fn report(&self, failure: &Failure, peer: IpAddr) {
        if matches!(failure, Failure::Left) {
            log::debug!("TLS handshake with {peer} failed: {failure}");
            return;
        }
        if self.logged.admits(ClientNetwork::of(Some(peer)), std::time::Instant::now()) {
            log::info!("TLS handshake with {peer} failed: {failure} (logged once a minute for each address)");
        }
    }
}

impl Failure {
    /// For the metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::TimedOut => "timeout",
            Self::Left => "closed",
            Self::PlainHttp => "plain_http",
            Self::Broken(_) => "failed",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crowded => f.write_str("too many unfinished TLS handshakes from this address"),
            Self::TimedOut => write!(f, "not done within {} s", HANDSHAKE.as_secs()),
            Self::Left => f.write_str("the client closed the connection"),
            Self::PlainHttp => f.write_str("the client sent plain HTTP; its URL has to begin with https://"),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

impl From<tokio::time::error::Elapsed> for Failure {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::TimedOut
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // What is wrong with the client's TLS is `InvalidData`; all else is the connection's end.
        if error.kind() == ErrorKind::InvalidData { Self::Broken(error) } else { Self::Left }
    }
}

/// Whether a connection that begins like this speaks HTTP without TLS.
fn is_http(first: &[u8]) -> bool {
    const METHODS: [&[u8]; 6] = [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS "];
    METHODS.iter().any(|method| first.starts_with(method))
}

#[cfg(test)]
mod tests;
