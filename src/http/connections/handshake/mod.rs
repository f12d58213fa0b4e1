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

use super::handshake_limits::{HandshakeAdmission, HandshakeLimits};
use crate::domain::client_network::ClientNetwork;
use crate::http::log_limit::LogLimit;
use crate::telemetry::ConnectionMetrics;

/// How long a client may take from the connection to the end of the handshake, not counting its wait for a slot.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection waits for a slot of its network.
const SLOT_TIMEOUT: Duration = Duration::from_secs(10);
const LIMITS: HandshakeLimits = HandshakeLimits { handshakes: 1000, connections: 10_000 };

/// How the listener of an API performs handshakes.
pub struct Tls {
    api: &'static str,
    acceptor: TlsAcceptor,
    admission: Arc<HandshakeAdmission>,
    trusted_proxies: Vec<IpNet>,
    metrics: ConnectionMetrics,
    logged: LogLimit,
}

/// Why a handshake failed.
enum HandshakeError {
    /// The client's network has too many connections without a finished handshake.
    TooManyConnections,
    TimedOut,
    /// The client closed the connection.
    Disconnected,
    PlainHttp,
    /// The client sent garbage, supports no common protocol version or cipher, or rejected the certificate.
    Failed(io::Error),
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
            admission: HandshakeAdmission::new(LIMITS),
            trusted_proxies,
            metrics,
            logged: LogLimit::default(),
        }
    }

    /// Performs the handshake. Closes the connection if it fails.
    pub async fn handshake(&self, tcp: TcpStream, peer: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let open = self.metrics.handshake_open(self.api);
        let outcome = self.perform(tcp, peer.ip()).await;
        drop(open);
        let result = match &outcome {
            Ok(_) => "done",
            Err(error) => error.name(),
        };
        self.metrics.handshake_ended(self.api, result);
        outcome.inspect_err(|error| self.report(error, peer.ip())).ok()
    }

    async fn perform(&self, tcp: TcpStream, peer: IpAddr) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let mut deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        let connection = if self.is_limited(peer) {
            Some(
                self.admission
                    .admit(ClientNetwork::of(Some(peer)))
                    .ok_or(HandshakeError::TooManyConnections)?,
            )
        } else {
            None
        };
        let mut first = [0; 8];
        let length = timeout_at(deadline, tcp.peek(&mut first)).await??;
        let wait_began = Instant::now();
        let slot = match &connection {
            Some(connection) => timeout(SLOT_TIMEOUT, connection.slot())
                .await
                .map_err(|_| HandshakeError::TooManyConnections)?,
            None => None,
        };
        deadline += wait_began.elapsed();
        let outcome = timeout_at(deadline, self.acceptor.accept(tcp)).await?;
        drop(slot);
        outcome.map_err(|error| match HandshakeError::from(error) {
            HandshakeError::Failed(_) if is_http(&first[..length]) => HandshakeError::PlainHttp,
            error => error,
        })
    }

    /// Whether connections from this address are limited. The addresses of trusted proxies and of this machine stand for
    /// many clients; if they were limited, silent connections of one client could lock out the others.
    fn is_limited(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        !peer.is_loopback() && !self.trusted_proxies.iter().any(|proxies| proxies.contains(&peer))
    }

    /// Logs the error, at most once a minute for each network: any client can cause errors at any rate.
    fn report(&self, error: &HandshakeError, peer: IpAddr) {
        if matches!(error, HandshakeError::Disconnected) {
            log::debug!("TLS handshake with {peer} failed: {error}");
            return;
        }
        if self.logged.admits(ClientNetwork::of(Some(peer)), std::time::Instant::now()) {
            log::info!("TLS handshake with {peer} failed: {error} (logged once a minute for each address)");
        }
    }
}

impl HandshakeError {
    /// The name of the error in the metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::TooManyConnections => "crowded",
            Self::TimedOut => "timeout",
            Self::Disconnected => "closed",
            Self::PlainHttp => "plain_http",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyConnections => f.write_str("too many unfinished TLS handshakes from this address"),
            Self::TimedOut => write!(f, "not done within {} s", HANDSHAKE_TIMEOUT.as_secs()),
            Self::Disconnected => f.write_str("the client closed the connection"),
            Self::PlainHttp => f.write_str("the client sent plain HTTP; its URL has to begin with https://"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<tokio::time::error::Elapsed> for HandshakeError {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::TimedOut
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        // rustls reports what is wrong with the client's TLS as `InvalidData`. All other errors mean that the connection ended.
        if error.kind() == ErrorKind::InvalidData { Self::Failed(error) } else { Self::Disconnected }
    }
}

/// Whether these first bytes of a connection are HTTP without TLS.
fn is_http(first: &[u8]) -> bool {
    const METHODS: [&[u8]; 6] = [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS "];
    METHODS.iter().any(|method| first.starts_with(method))
}

#[cfg(test)]
mod tests;
