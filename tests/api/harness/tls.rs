//! Certificates for tests, and a TLS client.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use tempfile::TempDir;

/// A certificate for 127.0.0.1 and its key, in files that a server reads and a test replaces.
pub struct Certificate {
    folder: TempDir,
    current: RwLock<Pair>,
}

#[derive(Clone)]
struct Pair {
    der: CertificateDer<'static>,
    certificate: String,
    key: String,
}

impl Certificate {
    pub fn new() -> Arc<Self> {
        let folder = TempDir::with_prefix("strongroom-tls-").expect("make a folder");
        let this = Self { folder, current: RwLock::new(Pair::new()) };
        this.write(&this.pair(), &this.pair());
        Arc::new(this)
    }

    /// Makes a pair that is valid in these years.
    pub fn valid_in(from: i32, to: i32) -> Arc<Self> {
        let this = Self::new();
        let (certificate, key) = Self::pem_valid_in(from, to);
        this.put(&certificate, &key);
        this
    }

    /// Returns a certificate that is valid in these years, and its key.
    pub fn pem_valid_in(from: i32, to: i32) -> (String, String) {
        let mut about = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        about.not_before = rcgen::date_time_ymd(from, 1, 1);
        about.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        (about.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    pub fn cert_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Writes a new pair into the files; clients trust only the new one from now on.
    pub fn renew(&self) {
        let new = Pair::new();
        self.write(&new, &new);
        *self.current.write().expect("not poisoned") = new;
    }

    /// Writes a new certificate beside a key that does not belong to it; clients trust the old one as before.
    pub fn corrupt(&self) {
        self.write(&Pair::new(), &Pair::new());
    }

    /// Writes these texts into the files, whatever they are; clients trust the old certificate as before.
    pub fn put(&self, certificate: &str, key: &str) {
        std::fs::write(self.cert_file(), certificate).expect("write the certificate");
        std::fs::write(self.key_file(), key).expect("write the key");
    }

    /// Empties the certificate's file.
    pub fn blank(&self) {
        std::fs::write(self.cert_file(), "").expect("write the certificate");
    }

    fn write(&self, certificate: &Pair, key: &Pair) {
        std::fs::write(self.cert_file(), &certificate.certificate).expect("write the certificate");
        std::fs::write(self.key_file(), &key.key).expect("write the key");
    }

    fn pair(&self) -> Pair {
        self.current.read().expect("not poisoned").clone()
    }

    /// Returns a TLS client that trusts only this certificate. The handshake happens with the first byte.
    pub fn client(&self, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pair().der).expect("trust the certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a TLS client");
        StreamOwned::new(connection, stream)
    }
}

impl Pair {
    fn new() -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("make a certificate");
        Self {
            der: made.cert.der().clone(),
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }
}

/// A certificate authority of the test's own.
pub struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut about = rcgen::CertificateParams::default();
        about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        about.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().expect("a key");
        Self(rcgen::CertifiedIssuer::self_signed(about, key).expect("make an authority"))
    }

    /// Writes only this authority's certificate into a file of trusted ones.
    pub fn write_to(&self, file: &Path) {
        std::fs::write(file, self.0.pem()).expect("write the authority");
    }

    /// Returns a TLS server with a certificate of this authority for that name or address.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let about = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = about.signed_by(&key, &self.0).expect("make a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.expect("a certificate and its key"))
    }
}
