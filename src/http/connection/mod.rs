//! What happens between `accept` and the first byte of HTTP.
//!
//! actix-server accepts connections and spreads them over its workers; [`open`] makes a stream of bytes of each one, with
//! a TLS handshake if the listener has a certificate; actix-http speaks HTTP/1.1 on that stream. `server.rs` puts the
//! three together. actix-web's own `HttpServer` is not used, because it stops accepting while its slots for handshakes are
//! taken: silent strangers would keep everybody out.

mod patience;
mod stream;

use std::net::SocketAddr;
use std::time::Duration;

use actix_http::Protocol;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub use patience::{Limits, Patient, end_with};
pub use stream::ByteStream;

/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What actix-http's service takes: the stream, the protocol on it, and the peer.
pub type Opened = (Patient, Protocol, Option<SocketAddr>);

/// How the connections of a listener are opened.
#[derive(Clone)]
pub struct Opening {
    /// `None`: plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// What a client has to take of an answer.
    pub limits: Limits,
}

/// Opens a connection that was accepted. The connection is closed if that fails.
pub async fn open(tcp: TcpStream, opening: Opening) -> Result<Opened, ()> {
    let peer = tcp.peer_addr().ok();
    let stream = match opening.tls {
        None => ByteStream::Plain(tcp),
        Some(acceptor) => {
            let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(tcp)).await else { return Err(()) };
            ByteStream::Tls(Box::new(stream))
        }
    };
    Ok((Patient::new(stream, opening.limits), Protocol::Http1, peer))
}
