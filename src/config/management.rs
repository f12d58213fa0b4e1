//! The settings of the management API, and of the tokens that it accepts.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;
use super::parse::{Variables, base_url, wrong};
use super::proxy::proxy_for;
use crate::auth::bearer::{KeySource, TokenSettings};

#[derive(Debug)]
pub struct ManagementConfig {
    pub listen: SocketAddr,
    /// `https://host[:port]`, as clients reach the management API; `None`: the host of their request.
    pub public_url: Option<String>,
    /// `None`: there is no key, so every token is refused.
    pub tokens: Option<TokenConfig>,
}

#[derive(Debug)]
pub struct TokenConfig {
    /// At least one of its keys is set.
    pub settings: TokenSettings,
    /// Lines for the log: what is set and has no effect, or is not for production.
    pub warnings: Vec<String>,
}

const HS256: &str = "JWT_HS256_SECRET";
const ISSUER: &str = "JWT_ISSUER";
const AUDIENCE: &str = "JWT_AUDIENCE";
/// RFC 7518, 3.2: a key has to be as long as the hash.
const HS256_LEAST: usize = 32;

impl ManagementConfig {
    pub(super) fn read(env: &Variables) -> Result<Self, ConfigError> {
        let (listen, default) = ("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:8082");
        Ok(Self {
            listen: env.parsed(listen, default, "an address like 127.0.0.1:8082")?,
            public_url: public_url(env, "MANAGEMENT_PUBLIC_URL")?,
            tokens: TokenConfig::read(env)?,
        })
    }
}

/// What `strongroom token issue` makes tokens with.
#[derive(Debug)]
pub struct IssueConfig {
    pub secret: SecretString,
    pub issuer: String,
    pub audience: String,
    /// Where organizations are looked up, if it is set.
    pub database_url: Option<SecretString>,
}

impl IssueConfig {
    /// Reads what the process's environment says of this, and nothing else.
    pub fn from_env() -> Result<Self, ConfigError> {
        let env = Variables::of_process();
        env.check()?;
        Self::read(&env)
    }

    fn read(env: &Variables) -> Result<Self, ConfigError> {
        let text = |name| env.get(name).map(str::trim).filter(|text| !text.is_empty());
        match (hs256(env)?, text(ISSUER), text(AUDIENCE)) {
            (Some(secret), Some(issuer), Some(audience)) => Ok(Self {
                secret,
                issuer: issuer.to_owned(),
                audience: audience.to_owned(),
                database_url: env.optional_secret("DATABASE_URL")?,
            }),
            (secret, issuer, audience) => {
                let all =
                    [(HS256, secret.is_none()), (ISSUER, issuer.is_none()), (AUDIENCE, audience.is_none())];
                let missing: Vec<_> =
                    all.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect();
                let problem =
                    "not set, and needed to issue a token: the same as for the service that is to take it";
                Err(wrong(&missing.join(", "), problem))
            }
        }
    }
}

impl TokenConfig {
    fn read(env: &Variables) -> Result<Option<Self>, ConfigError> {
        let keys = match (env.get("JWT_JWKS_FILE"), env.get("JWT_JWKS_URL")) {
            (None, None) => None,
            (Some(_), None) => Some(KeySource::File(env.path("JWT_JWKS_FILE", "")?)),
            (None, Some(url)) => Some(KeySource::Url(key_set_url(url)?)),
            (Some(_), Some(_)) => return Err(wrong("JWT_JWKS_FILE", "JWT_JWKS_URL is set, too: unset one")),
        };
        let hs256 = hs256(env)?;
        let claims = [ISSUER, AUDIENCE];
        if keys.is_none() && hs256.is_none() {
            return match claims.iter().find(|name| env.get(name).is_some()) {
                Some(name) => Err(wrong(name, "it needs JWT_JWKS_URL or JWT_JWKS_FILE beside it")),
                None => Ok(None),
            };
        }
        let required = |name| {
            let text = env.get(name).filter(|text| !text.trim().is_empty());
            text.map(str::to_owned).ok_or_else(|| {
                wrong(name, "it is required with a key: only tokens that name it are accepted")
            })
        };
        let mut warnings = Vec::new();
        if let Some(KeySource::Url(url)) = &keys
            && let Some(proxy) = proxy_for(env, url)
        {
            warnings
                .push(format!("{proxy} is set and not used: the key set is fetched directly (JWT_JWKS_URL)"));
        }
        if hs256.is_some() {
            warnings.push(
                "JWT_HS256_SECRET is set: FOR DEVELOPMENT ONLY. Whoever knows it can make any token; \
                 use JWT_JWKS_URL or JWT_JWKS_FILE instead"
                    .to_owned(),
            );
        }
        let (issuer, audience) = (required(ISSUER)?, required(AUDIENCE)?);
        Ok(Some(Self { settings: TokenSettings { keys, hs256, issuer, audience }, warnings }))
    }
}

/// The secret for development, if there is one.
fn hs256(env: &Variables) -> Result<Option<SecretString>, ConfigError> {
    let hs256 = env.optional_secret(HS256)?;
    if hs256.as_ref().is_some_and(|secret| secret.expose_secret().len() < HS256_LEAST) {
        return Err(wrong(HS256, format!("it has to be at least {HS256_LEAST} characters long")));
    }
    Ok(hs256)
}

/// Only https, or http to this machine: whoever can change the keys on their way can make any token.
fn key_set_url(url: &str) -> Result<String, ConfigError> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "@#".contains(c);
    if !matches!(scheme, "http" | "https") || host.is_empty() || url.contains(odd) {
        return Err(wrong("JWT_JWKS_URL", "it has to be a URL like https://HOST/PATH, without a user in it"));
    }
    if scheme == "http" && !super::store::is_loopback(host) {
        return Err(wrong("JWT_JWKS_URL", "it has to be https (http only to this machine)"));
    }
    Ok(url.to_owned())
}

/// A setting of the form `https://host[:port]`; a slash at its end is removed.
pub(super) fn public_url(env: &Variables, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(url) = env.get(name) else { return Ok(None) };
    let (scheme, host) = base_url(name, url)?;
    Ok(Some(format!("{scheme}://{host}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn read(vars: &[(&str, &str)]) -> Result<ManagementConfig, ConfigError> {
        ManagementConfig::read(&Variables::from_pairs(vars.iter().copied()))
    }

    #[test]
    fn without_a_key_there_are_no_tokens() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8082");
        assert!(config.tokens.is_none() && config.public_url.is_none());
    }

    #[test]
    fn a_key_set_comes_from_a_url_or_a_file() {
        let claims = [("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "backups")];
        let cases = [
            ("JWT_JWKS_FILE", "/etc/keys", KeySource::File("/etc/keys".into())),
            (
                "JWT_JWKS_URL",
                "https://login.example/keys",
                KeySource::Url("https://login.example/keys".into()),
            ),
            ("JWT_JWKS_URL", "http://[::1]:80/keys", KeySource::Url("http://[::1]:80/keys".into())),
        ];
        for (name, value, keys) in cases {
            let tokens = read(&[claims[0], claims[1], (name, value)]).unwrap().tokens.unwrap().settings;
            assert_eq!(tokens.keys, Some(keys));
            assert_eq!((tokens.issuer.as_str(), tokens.audience.as_str()), ("me", "backups"));
        }
    }

    #[test]
    fn what_is_missing_to_issue_a_token_is_named_and_nothing_else() {
        let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "us")];
        // What is set for the service's sake does not matter here.
        let read = |some: &[(&str, &str)]| {
            let keys = [("JWT_JWKS_URL", "nonsense")];
            IssueConfig::read(&Variables::from_pairs(some.iter().chain(&keys).copied()))
        };
        assert!(read(&all).unwrap().database_url.is_none());
        assert_eq!(read(&[]).unwrap_err().variable, "JWT_HS256_SECRET, JWT_ISSUER, JWT_AUDIENCE");
        for (missing, _) in all {
            let some: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(read(&some).unwrap_err().variable, missing);
        }
    }

    #[test]
    fn what_is_wrong_names_its_variable() {
        let all = [("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "us"), ("JWT_HS256_SECRET", SECRET)];
        assert!(read(&all).unwrap().tokens.is_some());
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("JWT_ISSUER", &[("JWT_HS256_SECRET", SECRET), ("JWT_AUDIENCE", "us")]),
            ("JWT_AUDIENCE", &[("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", "me")]),
            ("JWT_AUDIENCE", &[("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", "me"), ("JWT_AUDIENCE", " ")]),
            ("JWT_ISSUER", &[("JWT_ISSUER", "me")]),
            ("JWT_AUDIENCE", &[("JWT_AUDIENCE", "us")]),
            ("JWT_HS256_SECRET", &[("JWT_HS256_SECRET", "short")]),
            ("JWT_JWKS_URL", &[("JWT_JWKS_URL", "http://login.example/keys")]),
            ("JWT_JWKS_URL", &[("JWT_JWKS_URL", "login.example")]),
            ("JWT_JWKS_FILE", &[("JWT_JWKS_FILE", "")]),
            ("JWT_JWKS_FILE", &[("JWT_JWKS_FILE", "k"), ("JWT_JWKS_URL", "https://login.example/keys")]),
            ("MANAGEMENT_PUBLIC_URL", &[("MANAGEMENT_PUBLIC_URL", "https://example.org/path")]),
            ("MANAGEMENT_PUBLIC_URL", &[("MANAGEMENT_PUBLIC_URL", "example.org")]),
        ];
        for (variable, vars) in cases {
            let error = read(vars).unwrap_err();
            assert_eq!(error.variable, *variable, "{vars:?}: {error}");
            assert!(!error.to_string().contains("short"));
        }
    }
}
