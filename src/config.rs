//! Settings from the environment, checked before anything starts.

mod literal;
mod management;
mod networks;
mod parse;
mod proxy;
mod store;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

pub use management::{IssueConfig, ManagementConfig, TokenConfig};
pub use store::StoreConfig;
pub use table::help;

use crate::domain::rate_window::RateLimits;
use crate::domain::retention::Retention;
use parse::{Variables, wrong};

/// A setting that can't be used: one line that names the variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    pub variable: String,
    pub problem: String,
}

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    pub database_url: SecretString,
    pub http: HttpConfig,
    pub management: ManagementConfig,
    pub store: StoreConfig,
    /// How long download addresses are valid, at which anybody can fetch a backup.
    pub presign_ttl: Duration,
    pub uploads: UploadConfig,
    pub upkeep: UpkeepConfig,
}

#[derive(Debug)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    /// `https://host[:port]`, as clients reach the collect API; `None`: the host of their request.
    pub public_url: Option<String>,
    pub tls: Option<TlsFiles>,
    pub trusted_proxies: Vec<IpNet>,
    pub shutdown_grace: Duration,
}

#[derive(Debug)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug)]
pub struct UploadConfig {
    /// Bytes.
    pub max_size: u64,
    pub retention: Retention,
    /// Bytes; `None`: unlimited.
    pub default_quota: Option<u64>,
    pub rate: RateLimits,
    pub idle_timeout: Duration,
    /// Bytes a second; 0: off.
    pub min_rate: u64,
}

#[derive(Debug)]
pub struct UpkeepConfig {
    pub lease: Duration,
    pub sweep_interval: Duration,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&Variables::of_process())
    }

    fn read(env: &Variables) -> Result<Self, ConfigError> {
        env.check()?;
        let undelete: u64 = env.number("BACKUP_UNDELETE_WINDOW", 0, 0..=u64::MAX)?;
        if undelete != 0 {
            return Err(wrong("BACKUP_UNDELETE_WINDOW", "only 0 is possible in this version"));
        }
        Ok(Self {
            database_url: env.secret("DATABASE_URL")?,
            http: HttpConfig {
                listen: env.parsed("LISTEN_ADDRESS", "127.0.0.1:8081", "an address like 127.0.0.1:8081")?,
                public_url: management::public_url(env, "PUBLIC_URL")?,
                tls: env.tls_files()?,
                trusted_proxies: env.networks("TRUSTED_PROXIES")?,
                shutdown_grace: env.seconds("SHUTDOWN_GRACE", 600)?,
            },
            management: ManagementConfig::read(env)?,
            store: StoreConfig::read(env)?,
            // S3 engines take no signature that is valid for longer than a week.
            presign_ttl: Duration::from_secs(env.number("BACKUP_PRESIGN_TTL", 300, 1..=604_800)?),
            uploads: UploadConfig {
                max_size: env.number("BACKUP_MAX_UPLOAD_SIZE", 2_147_483_648, 1..=MAX_BYTES)?,
                retention: Retention {
                    slots: usize::try_from(env.number("BACKUP_MAX_PER_SYSTEM", 10, 1..=10_000)?)
                        .unwrap_or(usize::MAX),
                    bytes: env.number("BACKUP_MAX_SIZE_PER_SYSTEM", 524_288_000, 1..=MAX_BYTES)?,
                },
                default_quota: Some(env.number("BACKUP_MAX_SIZE_PER_ORG", 107_374_182_400, 0..=MAX_BYTES)?)
                    .filter(|&bytes| bytes > 0),
                rate: RateLimits {
                    per_minute: env.rate("BACKUP_RATE_LIMIT_PER_MINUTE", 6)?,
                    per_hour: env.rate("BACKUP_RATE_LIMIT_PER_HOUR", 60)?,
                },
                idle_timeout: env.seconds("BACKUP_BODY_IDLE_TIMEOUT", 60)?,
                min_rate: env.number("BACKUP_BODY_MIN_RATE", 1024, 0..=MAX_BYTES)?,
            },
            upkeep: UpkeepConfig {
                lease: env.seconds("BACKUP_LEASE", 120)?,
                sweep_interval: env.seconds("BACKUP_SWEEP_INTERVAL", 60)?,
            },
        })
    }
}

/// The most bytes that a setting accepts: sums of a few of them still fit into Postgres' bigint.
const MAX_BYTES: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let vars = vars.iter().chain(&[("DATABASE_URL", "postgres:///x")]);
        Config::read(&Variables::from_pairs(vars.copied()))
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let config = config(&[]).unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8081");
        assert_eq!(config.uploads.max_size, 2 << 30);
        assert_eq!(config.uploads.retention, Retention { slots: 10, bytes: 500 << 20 });
        assert_eq!(config.uploads.default_quota, Some(100 << 30));
        assert_eq!(config.uploads.rate, RateLimits { per_minute: 6, per_hour: 60 });
        assert_eq!(config.upkeep.lease, Duration::from_secs(120));
        assert_eq!(config.presign_ttl, Duration::from_secs(300));
    }

    #[test]
    fn zero_means_unlimited_or_off_where_the_table_says_so() {
        let config =
            config(&[("BACKUP_MAX_SIZE_PER_ORG", "0"), ("BACKUP_RATE_LIMIT_PER_HOUR", "0")]).unwrap();
        assert_eq!(config.uploads.default_quota, None);
        assert_eq!(config.uploads.rate.per_hour, 0);
    }

    #[test]
    fn a_wrong_value_names_its_variable() {
        let cases = [
            ("LISTEN_ADDRESS", "8081"),
            ("BACKUP_MAX_UPLOAD_SIZE", "2G"),
            ("BACKUP_MAX_UPLOAD_SIZE", "0"),
            ("BACKUP_MAX_PER_SYSTEM", "0"),
            ("BACKUP_MAX_PER_SYSTEM", "-1"),
            ("BACKUP_MAX_SIZE_PER_ORG", ""),
            ("BACKUP_RATE_LIMIT_PER_HOUR", "601"),
            ("BACKUP_BODY_IDLE_TIMEOUT", "0"),
            ("BACKUP_LEASE", "1.5"),
            ("BACKUP_UNDELETE_WINDOW", "60"),
            ("TRUSTED_PROXIES", "proxy.example"),
            ("TLS_CERT_FILE", "cert.pem"),
            ("BACKUP_S3_BUCKET", "backups"),
            ("S3_ENDPOINT", "https://s3.example"),
            ("S3_SECRET_KEY_FILE", "key"),
            ("BACKUP_PRESIGN_TTL", "604801"),
            ("BACKUP_PRESIGN_TTL", "0"),
            ("JWT_ISSUER", "me"),
        ];
        for (variable, value) in cases {
            let error = config(&[(variable, value)]).unwrap_err();
            let names = error.variable == variable || error.problem.contains(variable);
            assert!(names, "{variable}={value}: {error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }

    #[test]
    fn the_database_is_required() {
        let error = Config::read(&Variables::from_pairs([])).unwrap_err();
        assert_eq!(error.variable, "DATABASE_URL");
    }
}
