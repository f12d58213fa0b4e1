//! New credentials of systems. A secret has 256 random bits; only its hash is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::SystemKey;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("read random bytes from the system: {0}")]
pub struct NoRandomness(String);

/// Makes a secret of 256 random bits.
pub fn new_secret() -> Result<SecretString, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?).into())
}

/// Makes a key for a system that was given none.
pub fn new_key() -> Result<SystemKey, NoRandomness> {
    let text = format!("sys-{}", hex::encode(random_bytes::<8>()?));
    SystemKey::parse(&text).map_err(|error| NoRandomness(error.to_string()))
}

/// Returns what is stored of a secret.
pub fn secret_hash(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}

fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(bytes)
}
