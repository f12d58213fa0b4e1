//! Verifies bearer tokens (JWT, RFC 7519; common attacks: RFC 8725). The only module that names jsonwebtoken.
//!
//! A token's header ([`jws`]) may choose among the keys, and nothing else. The algorithm is a property of the
//! key. Keys come from the operator's key set, or are the operator's secret; keys in the token (`jwk`, `jku`,
//! `x5u`) are ignored. After the signature, the claims are checked ([`claims`]).

mod claim_values;
mod claims;
mod issue;
mod jwk;
mod jws;
mod key_set;
mod key_set_cache;
mod key_source;
mod rejected_tokens;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

pub use issue::{IssueError, NewToken, issue};
pub use key_set_cache::{KeySetCache, MAX_AGE as KEY_SET_MAX_AGE};
pub use key_source::KeySource;
pub use rejected_tokens::{PERIOD as REJECTED_TOKENS_PERIOD, RejectedTokens};

use crate::domain::caller::Caller;
use claims::Expected;
use jws::Jws;
use key_set::KeySet;

/// Maximum length of a token, in bytes. A longer one is refused without being parsed.
const MAX_TOKEN_BYTES: usize = 8192;

/// The settings of the verifier.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    pub keys: Option<KeySource>,
    /// The secret for HS256, for development only.
    pub hs256: Option<SecretString>,
    pub issuer: String,
    pub audience: String,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The reason, for the log. It contains nothing of the token.
    #[error("{0}")]
    Invalid(&'static str),
    /// The token is signed by a known key, but its claims do not suffice. The reason contains nothing of the token.
    #[error("{0}")]
    Unsuitable(&'static str),
    /// No key set could be read since the start, so no token can be verified.
    #[error("there are no keys to verify tokens with")]
    NoKeys,
}

/// Verifies tokens.
pub struct TokenVerifier {
    keys: Option<KeySetCache>,
    hs256: Option<DecodingKey>,
    expected: Expected,
    rejected: Arc<RejectedTokens>,
}

impl TokenVerifier {
    /// Returns a verifier whose keys have yet to be read: [`key_set`](Self::key_set) has to be refreshed regularly, and
    /// [`rejected`](Self::rejected) reported. Refreshes that tokens cause run on `runtime`.
    ///
    /// # Errors
    /// One line, if a file cannot be used.
    pub fn new(settings: TokenSettings, runtime: &Handle) -> Result<Self, String> {
        if let Some(source) = &settings.keys {
            source.check()?;
        }
        let secret = settings.hs256.as_ref().map(|secret| secret.expose_secret().as_bytes());
        Ok(Self {
            hs256: secret.map(DecodingKey::from_secret),
            keys: settings.keys.map(|source| KeySetCache::new(source, runtime.clone())),
            expected: Expected { issuer: settings.issuer, audience: settings.audience },
            rejected: Arc::default(),
        })
    }

    /// Returns the key set to refresh, if there is one. The period is [`KEY_SET_MAX_AGE`].
    pub fn key_set(&self) -> Option<KeySetCache> {
        self.keys.clone()
    }

    /// Returns the counts of refused tokens to report. The period is [`REJECTED_TOKENS_PERIOD`].
    pub fn rejected(&self) -> &Arc<RejectedTokens> {
        &self.rejected
    }

    /// Returns the caller that this token names.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let verified = self.caller(token).await;
        if let Err(TokenError::Invalid(why) | TokenError::Unsuitable(why)) = &verified {
            self.rejected.count(why);
        }
        verified
    }

    async fn caller(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid("it is too long"));
        }
        let jws = Jws::parse(token).map_err(TokenError::Invalid)?;
        if jws.algorithm == Algorithm::HS256 {
            let key = self.hs256.as_ref().ok_or(TokenError::Invalid("no secret is configured for HS256"))?;
            if !jws.is_signed_by(key) {
                return Err(TokenError::Invalid(WRONG_SIGNATURE));
            }
        } else {
            self.verify_by_set(&jws).await?;
        }
        let now = seconds(SystemTime::now()).as_secs_f64();
        let claims = jws.claims().map_err(TokenError::Unsuitable)?;
        claims.check(&self.expected, now).map_err(TokenError::Unsuitable)
    }

    /// Finds the key that signed the token, and tries again if the set has changed. A signature that fits no
    /// key may be by a new one, even if the token names a known key: providers have reused ids.
    async fn verify_by_set(&self, jws: &Jws<'_>) -> Result<(), TokenError> {
        let keys = self.keys.as_ref().ok_or(TokenError::Invalid("no key set is configured"))?;
        let known = keys.current();
        let found = find_signer(known.as_deref(), jws);
        if found.is_ok() {
            return found;
        }
        match keys.newer_than(known.as_ref()).await {
            Some(newer) => find_signer(Some(&newer), jws),
            None => found,
        }
    }
}

const WRONG_SIGNATURE: &str = "its signature is wrong";

fn find_signer(keys: Option<&KeySet>, jws: &Jws<'_>) -> Result<(), TokenError> {
    let keys = keys.ok_or(TokenError::NoKeys)?;
    let mut candidates = keys.candidates(jws.kid.as_deref(), jws.algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(TokenError::Invalid("its key is unknown"));
    }
    if candidates.any(|key| jws.is_signed_by(&key.verifies)) {
        return Ok(());
    }
    Err(TokenError::Invalid(WRONG_SIGNATURE))
}

fn seconds(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
