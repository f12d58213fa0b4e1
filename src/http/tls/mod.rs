//! The server's certificate, which can be replaced while the server runs.

mod key_pair;
mod pem;
mod x509;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// Why a pair of files can't be used: one line that names the setting and repeats nothing of the files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{variable}: {}: {reason}", path.display())]
    File { variable: &'static str, path: PathBuf, reason: String },
    #[error("TLS_CERT_FILE: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate and its key, from two PEM files.
#[derive(Debug)]
pub struct Certificates {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Loads the pair of files.
    pub fn load(cert_file: &Path, key_file: &Path) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(key_pair::read(cert_file, key_file, Utc::now())?);
        Ok(Arc::new(Self { cert_file: cert_file.into(), key_file: key_file.into(), current }))
    }

    /// Reads both files again. On an error the current pair stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = key_pair::read(&self.cert_file, &self.key_file, Utc::now())?;
        self.current.store(Arc::new(pair));
        Ok(())
    }

    /// Fails if the server's own certificate has expired or is not valid yet: clients would refuse it.
    pub fn check_validity(&self, now: DateTime<Utc>) -> Result<(), TlsError> {
        let warning = self.info().and_then(|info| key_pair::validity_warning(info, now));
        warning.map_or(Ok(()), |warning| {
            let reason = format!("the certificate {warning}");
            Err(TlsError::File { variable: "TLS_CERT_FILE", path: self.cert_file.clone(), reason })
        })
    }

    /// When the server's own certificate expires.
    pub fn expires(&self) -> Option<DateTime<Utc>> {
        self.info().map(|info| info.not_after)
    }

    fn info(&self) -> Option<x509::CertificateInfo> {
        self.current.load().cert.first().and_then(|own| x509::parse(own))
    }

    /// An acceptor that presents the current certificate and supports only HTTP/1.1.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}
