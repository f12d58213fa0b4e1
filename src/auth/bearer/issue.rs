//! Issues tokens for development, signed with the secret (`JWT_HS256_SECRET`) that the service verifies them
//! with.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::claims::is_sub;
use super::seconds;
use crate::domain::ids::OrgId;

/// The contents of a new token.
pub struct NewToken<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub sub: &'a str,
    /// `None` is permitted only with `backup:admin`.
    pub org: Option<&'a OrgId>,
    /// The scopes, separated by spaces.
    pub scope: &'a str,
    pub valid_for: Duration,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<&'a str>,
    scope: &'a str,
    iat: u64,
    exp: u64,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error("--sub: 1 to 255 bytes, printable")]
    Sub,
    /// The library's message is not repeated: the library knows the secret.
    #[error("the token can't be signed")]
    Sign,
}

/// Returns a token signed with HS256, and when it expires, in seconds since the Unix epoch.
pub fn issue(secret: &SecretString, new: &NewToken, now: SystemTime) -> Result<(String, u64), IssueError> {
    if !is_sub(new.sub) {
        return Err(IssueError::Sub);
    }
    let iat = seconds(now).as_secs();
    let exp = iat.saturating_add(new.valid_for.as_secs());
    let NewToken { issuer: iss, audience: aud, sub, scope, .. } = *new;
    let claims = Claims { iss, aud, sub, org: new.org.map(OrgId::as_str), scope, iat, exp };
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key);
    let token = token.map_err(|_| IssueError::Sign)?;
    Ok((token, exp))
}
