//! What happens between `accept` and the first byte of HTTP.
//!
//! actix-server accepts connections and spreads them over its workers; [`Connections::serve`] makes a stream of bytes of
//! each one, with a TLS handshake if the listener has a certificate; actix-http speaks HTTP/1.1 on that stream.
//! `server.rs` puts the three together. actix-web's own `HttpServer` is not used, because it stops accepting while its
//! slots for handshakes are taken: silent strangers would keep everybody out.

mod handshake;
mod handshake_limits;
mod response_timeouts;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;

use actix_http::Protocol;
use actix_service::Service;
use tokio::net::TcpStream;

pub use handshake::Tls;
pub use response_timeouts::{Limits, Patient, end_with};
pub use stream::ByteStream;

use crate::http::framing::{BrokenRequests, InTurn};
use crate::http::log_limit::LogLimit;
use crate::telemetry::ConnectionMetrics;

/// What actix-http's service takes: the stream, one request at a time, the protocol on it, and the peer.
pub type Opened = (InTurn<Patient>, Protocol, Option<SocketAddr>);

/// The connections of one listener.
pub struct Connections {
    pub api: &'static str,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// What a client has to take of an answer.
    pub limits: Limits,
    /// For the lines about clients that did not.
    pub given_up: Arc<LogLimit>,
    pub broken: Arc<BrokenRequests>,
    pub metrics: ConnectionMetrics,
}

impl Connections {
    /// Serves a connection that was accepted, until it ends.
    pub async fn serve<H>(&self, tcp: TcpStream, http: &H) -> Result<(), ()>
    where
        H: Service<Opened, Response = ()>,
    {
        let _open = self.metrics.open(self.api);
        // What goes wrong on a connection was answered if it could be.
        http.call(self.open(tcp).await?).await.map_err(drop)
    }

    /// The stream; the connection is closed if there is none.
    async fn open(&self, tcp: TcpStream) -> Result<Opened, ()> {
        // One that has no peer any more is gone.
        let peer = tcp.peer_addr().map_err(drop)?;
        let stream = match &self.tls {
            None => ByteStream::Plain(tcp),
            Some(tls) => ByteStream::Tls(Box::new(tls.handshake(tcp, peer).await.ok_or(())?)),
        };
        let stream = Patient::new(stream, self.limits, Arc::clone(&self.given_up));
        Ok((InTurn::new(stream, peer.ip(), Arc::clone(&self.broken)), Protocol::Http1, Some(peer)))
    }
}
