//! What happens to a connection between `accept` and the first byte of HTTP.
//!
//! actix-server accepts connections and distributes them over its workers. [`Connections::serve`] turns each into a byte
//! stream, with a TLS handshake if the listener has a certificate. actix-http parses HTTP/1.1 on that stream. `server.rs`
//! connects the three. actix-web's own `HttpServer` is not used, because it stops accepting while its slots for handshakes
//! are taken: silent connections would lock all clients out.

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
pub use response_timeouts::{ResponseTimeouts, TimeoutStream, abort_response_when};
pub use stream::ByteStream;

use crate::http::framing::{MalformedRequestLog, SequentialStream};
use crate::http::log_limit::LogLimit;
use crate::telemetry::ConnectionMetrics;

/// The input of actix-http's service: the stream, which yields one request at a time, its protocol, and the peer.
pub type OpenedConnection = (SequentialStream<TimeoutStream>, Protocol, Option<SocketAddr>);

/// The connections of one listener.
pub struct Connections {
    pub api: &'static str,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
    pub response_timeouts: ResponseTimeouts,
    /// Limits the log lines about aborted responses.
    pub abort_log: Arc<LogLimit>,
    pub malformed_log: Arc<MalformedRequestLog>,
    pub metrics: ConnectionMetrics,
}

impl Connections {
    /// Serves an accepted connection until it ends.
    pub async fn serve<H>(&self, tcp: TcpStream, http: &H) -> Result<(), ()>
    where
        H: Service<OpenedConnection, Response = ()>,
    {
        let _open = self.metrics.open(self.api);
        // An error on a connection has been answered already, if that was possible.
        http.call(self.open(tcp).await?).await.map_err(drop)
    }

    /// Opens the stream. On an error the connection is closed.
    async fn open(&self, tcp: TcpStream) -> Result<OpenedConnection, ()> {
        // A connection without a peer has ended.
        let peer = tcp.peer_addr().map_err(drop)?;
        let stream = match &self.tls {
            None => ByteStream::Plain(tcp),
            Some(tls) => ByteStream::Tls(Box::new(tls.handshake(tcp, peer).await.ok_or(())?)),
        };
        let stream = TimeoutStream::new(stream, self.response_timeouts, Arc::clone(&self.abort_log));
        Ok((
            SequentialStream::new(stream, peer.ip(), Arc::clone(&self.malformed_log)),
            Protocol::Http1,
            Some(peer),
        ))
    }
}
