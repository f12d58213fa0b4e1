//! Bearer tokens (JWT, RFC 7519; RFC 8725 for what can go wrong with them). The only room that names jsonwebtoken.
//!
//! A token's header may choose among the keys, and nothing else. The algorithm is a property of the key. Keys come from
//! the operator's key set, or are the operator's secret: what a token brings along itself (`jwk`, `jku`, `x5u`) is
//! ignored. After the signature the claims are checked ([`claims`]).

mod claims;
mod fetch;
mod issue;
mod key_set;
mod keys;

use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

pub use fetch::KeySource;
pub use issue::{IssueError, NewToken, issue};

use crate::domain::caller::Caller;
use claims::{Claims, Expected};
use keys::Keys;

/// Bytes. No token that is sent with every request is longer; what is longer is refused unread.
const LONGEST: usize = 8192;

/// Whose tokens are accepted.
pub struct TokenSettings {
    pub keys: Option<KeySource>,
    /// For development only.
    pub hs256: Option<SecretString>,
    pub issuer: String,
    pub audience: String,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// For the log; nothing of the token is in it.
    #[error("{0}")]
    Invalid(&'static str),
    /// Nobody can tell: no key set could be read since the start.
    #[error("there are no keys to verify tokens with")]
    NoKeys,
}

/// Verifies tokens.
pub struct Tokens {
    keys: Option<Keys>,
    hs256: Option<DecodingKey>,
    expected: Expected,
}

impl Tokens {
    /// Starts to read the keys, on `engine`. A key source that is a URL may be out of reach for now.
    ///
    /// # Errors
    /// A file that can't be used, in one line.
    pub fn start(settings: TokenSettings, engine: &Handle) -> Result<Self, String> {
        if let Some(source) = &settings.keys {
            source.check()?;
        }
        let secret = settings.hs256.as_ref().map(|secret| secret.expose_secret().as_bytes());
        Ok(Self {
            hs256: secret.map(DecodingKey::from_secret),
            keys: settings.keys.map(|source| Keys::start(source, engine.clone())),
            expected: Expected { issuer: settings.issuer, audience: settings.audience },
        })
    }

    /// The caller that this token names.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Invalid("it is too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| refusal(&error))?;
        if header.crit.is_some() {
            return Err(TokenError::Invalid("it has extensions that have to be understood (crit)"));
        }
        let claims = match header.alg {
            Algorithm::HS256 => {
                let key = self.hs256.as_ref().ok_or(TokenError::Invalid("no secret is set for HS256"))?;
                signed(token, key, Algorithm::HS256)?
            }
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                self.signed_by_set(token, &header).await?
            }
            _ => return Err(TokenError::Invalid("its algorithm is none that is taken")),
        };
        let now = seconds(SystemTime::now()).as_secs_f64();
        claims.check(&self.expected, now).map_err(TokenError::Invalid)
    }

    async fn signed_by_set(&self, token: &str, header: &Header) -> Result<Claims, TokenError> {
        let keys = self.keys.as_ref().ok_or(TokenError::Invalid("no key set is set for its algorithm"))?;
        let kid = header.kid.as_deref();
        let mut loaded = keys.current();
        // A token without a key id can only show by a signature that does not fit that the key has changed.
        let fits = loaded.as_ref().is_some_and(|loaded| {
            let key = loaded.find(kid, header.alg);
            key.is_some_and(|key| kid.is_some() || signed(token, &key.verifies, key.algorithm).is_ok())
        });
        if !fits {
            keys.renew(loaded.as_ref()).await;
            loaded = keys.current();
        }
        let loaded = loaded.ok_or(TokenError::NoKeys)?;
        let key = loaded.find(kid, header.alg).ok_or(TokenError::Invalid("its key is unknown"))?;
        signed(token, &key.verifies, key.algorithm)
    }
}

/// The claims, if the signature is this key's by this algorithm. The claims themselves are checked in [`claims`], which
/// is given the time.
fn signed(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation);
    Ok(decoded.map_err(|error| refusal(&error))?.claims)
}

/// In our own words: the library's message may repeat parts of the token.
fn refusal(error: &jsonwebtoken::errors::Error) -> TokenError {
    TokenError::Invalid(match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm => "its algorithm is not the key's",
        _ => "it is malformed",
    })
}

fn seconds(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
