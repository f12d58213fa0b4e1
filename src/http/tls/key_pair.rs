//! Reads a certificate and its key. Errors say which of the two files is wrong, and why.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use super::pem::{self, Block, Label};
use super::x509;

const EXCHANGED: &str = "are TLS_CERT_FILE and TLS_KEY_FILE exchanged?";

/// Reads the pair from these files. Logs a warning if clients may refuse it although the service accepts it.
pub(super) fn read(cert_file: &Path, key_file: &Path, now: DateTime<Utc>) -> Result<CertifiedKey, TlsError> {
    let of_cert = |reason| TlsError::File { variable: "TLS_CERT_FILE", path: cert_file.into(), reason };
    let of_key = |reason| TlsError::File { variable: "TLS_KEY_FILE", path: key_file.into(), reason };
    let chain = pem::read(cert_file).and_then(certificates).map_err(of_cert)?;
    let key = pem::read(key_file).and_then(private_key).map_err(of_key)?;
    let signer = aws_lc_rs::sign::any_supported_type(&key).map_err(|_| of_key(unsupported(&key)))?;
    for (number, certificate) in (1..).zip(&chain) {
        let info = x509::parse(certificate)
            .ok_or_else(|| of_cert(format!("its certificate {number} is damaged: it can't be read")))?;
        if number == 1 && info.version == 1 {
            return Err(of_cert(
                "it is an X.509 certificate of version 1: have one of version 3 issued".to_owned(),
            ));
        }
        if let Some(warning) = validity_warning(info, now) {
            log::warn!("TLS_CERT_FILE: {}: certificate {number} of the file {warning}", cert_file.display());
        }
    }
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        // Some kinds of keys can't be compared. If they don't match, the first handshake fails.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(Error::InconsistentKeys(_)) => Err(match number_of_own_certificate(&pair) {
            Some(number) => of_cert(format!(
                "the key belongs to certificate {number} of the file: the server's own has to be the first"
            )),
            None => of_key(format!("the key does not belong to the certificate in {}", cert_file.display())),
        }),
        Err(_) => Err(of_cert("its first certificate is damaged, or not one for a server".to_owned())),
    }
}

fn certificates(blocks: Vec<Block>) -> Result<Vec<CertificateDer<'static>>, String> {
    let labels: Vec<_> = blocks.iter().map(|block| block.label).collect();
    let mine = blocks.into_iter().filter(|block| block.label == Label::Certificate);
    let chain: Vec<_> = mine.map(|block| CertificateDer::from(block.der)).collect();
    if !chain.is_empty() {
        return Ok(chain);
    }
    let has = |label| labels.contains(&label);
    Err(if [Label::Pkcs8, Label::Pkcs1, Label::Sec1, Label::EncryptedKey].into_iter().any(has) {
        format!("a private key is in it and no certificate: {EXCHANGED}")
    } else if has(Label::CertificateRequest) {
        "a request for a certificate (CSR) is in it, and not the certificate".to_owned()
    } else if has(Label::TrustedCertificate) {
        "a certificate in OpenSSL's own form is in it: convert it with `openssl x509`".to_owned()
    } else {
        "no certificate is in it".to_owned()
    })
}

fn private_key(blocks: Vec<Block>) -> Result<PrivateKeyDer<'static>, String> {
    let labels: Vec<_> = blocks.iter().map(|block| block.label).collect();
    let key = blocks.into_iter().find_map(|Block { label, der }| match label {
        Label::Pkcs8 => Some(PrivateKeyDer::Pkcs8(der.into())),
        Label::Pkcs1 => Some(PrivateKeyDer::Pkcs1(der.into())),
        Label::Sec1 => Some(PrivateKeyDer::Sec1(der.into())),
        _ => None,
    });
    let has = |label| labels.contains(&label);
    key.ok_or_else(|| {
        if has(Label::EncryptedKey) {
            "the key is encrypted, and nobody can be asked for its passphrase: write it unencrypted with \
             `openssl pkey`, readable for the service alone"
                .to_owned()
        } else if has(Label::DsaKey) {
            not_supported("it is a DSA key")
        } else if has(Label::OpenSshKey) {
            "it is a key in OpenSSH's own form: convert it with `ssh-keygen -p -m PKCS8`".to_owned()
        } else if has(Label::Certificate) {
            format!("a certificate is in it and no private key: {EXCHANGED}")
        } else if has(Label::PublicKey) {
            "a public key is in it, and not the private one".to_owned()
        } else {
            "no private key is in it".to_owned()
        }
    })
}

/// Why this key is not supported.
fn unsupported(key: &PrivateKeyDer<'_>) -> String {
    // The object identifier of the kind of key is near the beginning of PKCS#8.
    const KINDS: [(&[u8], &str); 5] = [
        (&[0x06, 0x03, 0x2b, 0x65, 0x71], "an Ed448 key"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x6e], "an X25519 key"),
        (&[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "a DSA key"),
        (&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "an RSA key for PSS alone"),
        (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a], "an ECDSA key on secp256k1"),
    ];
    let der = key.secret_der();
    let head = &der[..der.len().min(64)];
    let kind = KINDS.iter().find(|(id, _)| head.windows(id.len()).any(|bytes| bytes == *id));
    not_supported(&match kind {
        Some((_, kind)) => format!("it is {kind}"),
        None => "the key is damaged, or of a kind or size".to_owned(),
    })
}

fn not_supported(what: &str) -> String {
    format!(
        "{what} that is not supported: RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519 is needed"
    )
}

/// The number of the certificate that the key belongs to, counted from 1.
fn number_of_own_certificate(pair: &CertifiedKey) -> Option<usize> {
    let alone = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], pair.key.clone()).keys_match().is_ok()
    };
    pair.cert.iter().position(alone).map(|at| at + 1)
}

/// The warning for a certificate that has expired or is not valid yet.
pub(super) fn validity_warning(info: x509::CertificateInfo, now: DateTime<Utc>) -> Option<String> {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    if now > info.not_after {
        Some(format!("expired at {}: clients refuse it", time(info.not_after)))
    } else if now < info.not_before {
        Some(format!("is not valid before {}: clients refuse it; is the clock right?", time(info.not_before)))
    } else {
        None
    }
}
