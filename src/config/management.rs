//! Reads the settings of the management API, and of the tokens that it accepts.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::ConfigError;
use super::proxy::proxy_for;
use super::setting::Setting;
use super::settings::database::DATABASE_URL;
use super::settings::listeners::{MANAGEMENT_CORS_ORIGINS, MANAGEMENT_LISTEN_ADDRESS, MANAGEMENT_PUBLIC_URL};
use super::settings::tokens::{JWT_AUDIENCE, JWT_HS256_SECRET, JWT_ISSUER, JWT_JWKS_FILE, JWT_JWKS_URL};
use super::variables::{Variables, wrong};
use crate::auth::bearer::{KeySource, TokenSettings};

#[derive(Debug)]
pub struct ManagementConfig {
    pub listen: SocketAddr,
    /// The address at which clients reach the management API, `https://host[:port]`; `None`: the host of their request.
    pub public_url: Option<String>,
    /// The origins whose pages may call the management API in a browser.
    pub cors_origins: Vec<String>,
    /// The settings of tokens; `None`: no key is set, so every token is refused.
    pub tokens: Option<TokenConfig>,
}

#[derive(Debug)]
pub struct TokenConfig {
    /// The settings, with at least one kind of key.
    pub settings: TokenSettings,
    /// Lines for the log about settings that have no effect, or are not for production.
    pub warnings: Vec<String>,
}

impl ManagementConfig {
    pub(super) fn read(env: &Variables) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: env.read(&MANAGEMENT_LISTEN_ADDRESS)?,
            public_url: env.get(&MANAGEMENT_PUBLIC_URL)?,
            cors_origins: env.get(&MANAGEMENT_CORS_ORIGINS)?.unwrap_or_default(),
            tokens: TokenConfig::read(env)?,
        })
    }
}

/// The settings of `strongroom token issue`.
#[derive(Debug)]
pub struct IssueConfig {
    pub secret: SecretString,
    pub issuer: String,
    pub audience: String,
    /// The database, in which the command checks that the organization exists.
    pub database_url: Option<SecretString>,
}

impl IssueConfig {
    /// Reads only these settings from the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let env = Variables::of_process();
        env.check()?;
        Self::read(&env)
    }

    fn read(env: &Variables) -> Result<Self, ConfigError> {
        let text = |setting: &Setting<String>| {
            Ok::<_, ConfigError>(env.get(setting)?.filter(|text| !text.trim().is_empty()))
        };
        match (env.get(&JWT_HS256_SECRET)?, text(&JWT_ISSUER)?, text(&JWT_AUDIENCE)?) {
            (Some(secret), Some(issuer), Some(audience)) => {
                Ok(Self { secret, issuer, audience, database_url: env.get(&DATABASE_URL)? })
            }
            (secret, issuer, audience) => {
                let all = [
                    ("JWT_HS256_SECRET", secret.is_none()),
                    ("JWT_ISSUER", issuer.is_none()),
                    ("JWT_AUDIENCE", audience.is_none()),
                ];
                let missing: Vec<_> =
                    all.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect();
                let made = if secret.is_none() { "; `openssl rand -hex 32` makes a secret" } else { "" };
                let problem = format!(
                    "not set, and needed to issue a token for development: set the same values here and for `strongroom \
                     serve`{made}. In production an identity provider issues the tokens, and this command is not used"
                );
                Err(wrong(&missing.join(", "), &problem))
            }
        }
    }
}

impl TokenConfig {
    fn read(env: &Variables) -> Result<Option<Self>, ConfigError> {
        let keys = match (env.get(&JWT_JWKS_FILE)?, env.get(&JWT_JWKS_URL)?) {
            (None, None) => None,
            (Some(path), None) => Some(KeySource::File(path)),
            (None, Some(url)) => Some(KeySource::Url(url)),
            (Some(_), Some(_)) => return Err(wrong("JWT_JWKS_FILE", "JWT_JWKS_URL is set, too: unset one")),
        };
        let hs256 = env.get(&JWT_HS256_SECRET)?;
        if keys.is_none() && hs256.is_none() {
            let claims = [&JWT_ISSUER, &JWT_AUDIENCE];
            return match claims.iter().find_map(|setting| env.set_by(&setting.about)) {
                Some(name) => Err(wrong(&name, "it needs JWT_JWKS_URL or JWT_JWKS_FILE beside it")),
                None => Ok(None),
            };
        }
        let required = |setting: &Setting<String>| {
            let text = env.get(setting)?.filter(|text| !text.trim().is_empty());
            text.ok_or_else(|| {
                let why = "it is required with a key: only tokens that name it are accepted";
                wrong(setting.about.name, why)
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
        let (issuer, audience) = (required(&JWT_ISSUER)?, required(&JWT_AUDIENCE)?);
        Ok(Some(Self { settings: TokenSettings { keys, hs256, issuer, audience }, warnings }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn read(vars: &[(&str, &str)]) -> Result<ManagementConfig, ConfigError> {
        ManagementConfig::read(&Variables::from_pairs(vars.iter().copied()))
    }

    #[test]
    fn without_a_key_no_token_is_accepted() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8082");
        assert!(config.tokens.is_none() && config.public_url.is_none());
    }

    #[test]
    fn key_set_comes_from_a_url_or_a_file() {
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
    fn settings_missing_to_issue_a_token_are_named() {
        let all = [("JWT_HS256_SECRET", SECRET), ("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "us")];
        // A setting of the service that is not used here may be wrong.
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
    fn error_names_the_variable() {
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
