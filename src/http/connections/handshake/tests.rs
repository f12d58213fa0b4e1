//! Tests over local sockets. Each test chooses the address that a connection seems to come from.

use std::time::Duration;

use futures_util::{future::join, poll};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::*;
use crate::telemetry::Metrics;

const CLIENT: &str = "192.0.2.1:4242";
const PROXY: &str = "10.0.0.9:4242";

struct Fixture {
    tls: Tls,
    connector: TlsConnector,
}

impl Fixture {
    fn new(handshakes: usize, connections: usize) -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(pair.cert.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let mut tls = Tls::new("collect", acceptor, proxies, Metrics::new().unwrap().connections);
        tls.admission = HandshakeAdmission::new(HandshakeLimits { handshakes, connections });
        Self { tls, connector: TlsConnector::from(Arc::new(client)) }
    }

    /// Whether a well-behaved client and the server both finish the handshake.
    async fn succeeds(&self, peer: &str) -> bool {
        let (client, server) = connection().await;
        let client = self.connector.connect(ServerName::try_from("localhost").unwrap(), client);
        let (client, server) = join(client, self.tls.handshake(server, peer.parse().unwrap())).await;
        client.is_ok() && server.is_some()
    }
}

/// Both ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn a_silent_connection_takes_no_slot() {
    let fixture = Fixture::new(1, 9);
    let (_client, server) = connection().await;
    let mut silent = Box::pin(fixture.tls.handshake(server, CLIENT.parse().unwrap()));
    assert!(poll!(silent.as_mut()).is_pending());
    assert!(fixture.succeeds(CLIENT).await);
}

#[tokio::test]
async fn a_handshake_waits_while_its_network_has_no_slot() {
    let fixture = Fixture::new(1, 9);
    let (mut client, server) = connection().await;
    client.write_all(&[22, 3, 1]).await.unwrap();
    server.readable().await.unwrap();
    let mut half = Box::pin(fixture.tls.handshake(server, CLIENT.parse().unwrap()));
    assert!(poll!(half.as_mut()).is_pending(), "it has the only slot");

    let mut waiting = Box::pin(fixture.succeeds(CLIENT));
    tokio::select! {
        _ = &mut waiting => panic!("there was no slot"),
        () = sleep(Duration::from_millis(300)) => {}
    }
    assert!(fixture.succeeds("192.0.2.2:4242").await, "another address does not wait");
    drop(half);
    assert!(waiting.await, "a slot was free");
}

#[tokio::test]
async fn connection_over_the_limit_of_its_network_is_closed() {
    let fixture = Fixture::new(9, 1);
    let (_client, server) = connection().await;
    let mut silent = Box::pin(fixture.tls.handshake(server, CLIENT.parse().unwrap()));
    assert!(poll!(silent.as_mut()).is_pending());

    let (mut client, server) = connection().await;
    assert!(fixture.tls.handshake(server, CLIENT.parse().unwrap()).await.is_none());
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "closed without an answer");
    drop(silent);
    assert!(fixture.succeeds(CLIENT).await, "the connection has ended, so another one is admitted");
}

#[tokio::test]
async fn proxies_and_this_machine_are_not_limited() {
    let fixture = Fixture::new(0, 0);
    for peer in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", PROXY, "[::ffff:10.0.0.9]:1"] {
        assert!(fixture.succeeds(peer).await, "{peer}");
    }
    assert!(!fixture.succeeds(CLIENT).await);
}
