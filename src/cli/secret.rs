//! The secrets of systems: random or given, shown once. Only their hashes are kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::exit::Failure;

/// A given secret shorter than this could be guessed.
const LEAST_CHARACTERS: usize = 32;

/// The given secret, or a new random one of 256 bits.
pub fn given_or_new(given: Option<SecretString>) -> Result<SecretString, Failure> {
    if let Some(given) = given {
        let text = given.expose_secret();
        if text.chars().count() < LEAST_CHARACTERS {
            return Err(Failure::Usage(format!(
                "--secret: it has to be at least {LEAST_CHARACTERS} characters long"
            )));
        }
        return Ok(given);
    }
    Ok(URL_SAFE_NO_PAD.encode(random_bytes(32)?).into())
}

pub fn random_bytes(count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0u8; count];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::Refused(format!("the system gives no random bytes: {e}")))?;
    Ok(bytes)
}

pub fn sha256(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}
