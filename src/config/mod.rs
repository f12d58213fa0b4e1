//! The settings: read from the environment, and checked before anything starts. One table describes them all ([`settings`]).

mod check;
mod environment_file;
mod guide;
mod literal;
mod management;
mod networks;
mod origins;
mod pages;
mod proxy;
pub mod setting;
pub mod settings;
mod store;
mod unknown;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

pub use environment_file::EnvironmentFile;
pub use guide::settings_page;
pub use management::{IssueConfig, ManagementConfig, TokenConfig};
pub use pages::{env_file, help, readme_table};
pub use store::StoreConfig;
pub use variables::SOURCE;

use crate::domain::rate_window::RateLimits;
use crate::domain::retention::Retention;
use settings::{database, limits, listeners, objects, slow_clients, upkeep};
use variables::{Variables, wrong};

/// The default of RUST_LOG. Logging starts before the other settings are read.
pub const DEFAULT_LOG_FILTER: &str = match settings::log::RUST_LOG.about.default_text() {
    Some(text) => text,
    None => "",
};

/// A setting that can't be used. Its text is one line that names the variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    pub variable: String,
    pub problem: String,
}

/// All settings, parsed and checked.
#[derive(Debug)]
pub struct Config {
    pub database_url: SecretString,
    pub http: HttpConfig,
    pub management: ManagementConfig,
    pub store: StoreConfig,
    /// How long a link is valid. Anybody who has a link can download its backup.
    pub presign_ttl: Duration,
    pub uploads: UploadConfig,
    pub upkeep: UpkeepConfig,
}

#[derive(Debug)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    /// The address at which clients reach the collect API, `https://host[:port]`; `None`: the host of their request.
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
    /// The size of one upload in bytes.
    pub max_size: u64,
    pub retention: Retention,
    /// The quota in bytes of an organization that has none of its own; `None`: unlimited.
    pub default_quota: Option<u64>,
    pub rate: RateLimits,
    /// How old the newest backup of a system may become that has no period of its own.
    pub backup_period: Duration,
    pub idle_timeout: Duration,
    /// The minimum rate of a body in bytes a second; 0: no minimum.
    pub min_rate: u64,
}

#[derive(Debug)]
pub struct UpkeepConfig {
    pub lease: Duration,
    pub sweep_interval: Duration,
    /// How long events and ended backup requests are kept.
    pub events_keep: Duration,
}

/// Whether the settings in this process's environment are those of an env file.
pub fn is_from_file() -> bool {
    Variables::of_process().source().is_some()
}

impl Config {
    /// Reads the settings from the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&Variables::of_process())
    }

    fn read(env: &Variables) -> Result<Self, ConfigError> {
        env.check()?;
        env.read(&upkeep::BACKUP_UNDELETE_WINDOW)?;
        env.read(&settings::log::RUST_LOG)?;
        Ok(Self {
            database_url: env.read(&database::DATABASE_URL)?,
            http: HttpConfig {
                listen: env.read(&listeners::LISTEN_ADDRESS)?,
                public_url: env.get(&listeners::PUBLIC_URL)?,
                tls: TlsFiles::read(env)?,
                trusted_proxies: env.get(&listeners::TRUSTED_PROXIES)?.unwrap_or_default(),
                shutdown_grace: env.read(&upkeep::SHUTDOWN_GRACE)?,
            },
            management: ManagementConfig::read(env)?,
            store: StoreConfig::read(env)?,
            presign_ttl: env.read(&objects::BACKUP_PRESIGN_TTL)?,
            uploads: UploadConfig {
                max_size: env.read(&limits::BACKUP_MAX_UPLOAD_SIZE)?,
                retention: Retention {
                    slots: env.read(&limits::BACKUP_MAX_PER_SYSTEM)?,
                    bytes: env.read(&limits::BACKUP_MAX_SIZE_PER_SYSTEM)?,
                },
                default_quota: Some(env.read(&limits::BACKUP_MAX_SIZE_PER_ORG)?).filter(|&bytes| bytes > 0),
                rate: RateLimits {
                    per_minute: env.read(&limits::BACKUP_RATE_LIMIT_PER_MINUTE)?,
                    per_hour: env.read(&limits::BACKUP_RATE_LIMIT_PER_HOUR)?,
                },
                backup_period: env.read(&limits::BACKUP_PERIOD)?,
                idle_timeout: env.read(&slow_clients::BACKUP_BODY_IDLE_TIMEOUT)?,
                min_rate: env.read(&slow_clients::BACKUP_BODY_MIN_RATE)?,
            },
            upkeep: UpkeepConfig {
                lease: env.read(&upkeep::BACKUP_LEASE)?,
                sweep_interval: env.read(&upkeep::BACKUP_SWEEP_INTERVAL)?,
                events_keep: env.read(&upkeep::EVENTS_KEEP)?,
            },
        })
    }
}

impl TlsFiles {
    fn read(env: &Variables) -> Result<Option<Self>, ConfigError> {
        match (env.get(&listeners::TLS_CERT_FILE)?, env.get(&listeners::TLS_KEY_FILE)?) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some(Self { cert, key })),
            (Some(_), None) => Err(wrong("TLS_CERT_FILE", "it needs TLS_KEY_FILE beside it")),
            (None, Some(_)) => Err(wrong("TLS_KEY_FILE", "it needs TLS_CERT_FILE beside it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let vars = vars.iter().chain(&[("DATABASE_URL", "postgres:///x")]);
        Config::read(&Variables::from_pairs(vars.copied()))
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = config(&[]).unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8081");
        assert_eq!(config.uploads.max_size, 2 << 30);
        assert_eq!(config.uploads.retention, Retention { slots: 10, bytes: 500 << 20 });
        assert_eq!(config.uploads.default_quota, Some(100 << 30));
        assert_eq!(config.uploads.rate, RateLimits { per_minute: 6, per_hour: 60 });
        assert_eq!(config.upkeep.lease, Duration::from_secs(120));
        assert_eq!(config.upkeep.events_keep, Duration::from_hours(400 * 24));
        assert_eq!(config.presign_ttl, Duration::from_secs(300));
    }

    #[test]
    fn sizes_and_time_spans_may_have_units() {
        let config = config(&[
            ("BACKUP_MAX_UPLOAD_SIZE", "3G"),
            ("BACKUP_MAX_SIZE_PER_SYSTEM", "20MB"),
            ("BACKUP_MAX_SIZE_PER_ORG", "1.5 TiB"),
            ("BACKUP_BODY_MIN_RATE", "2K"),
            ("BACKUP_LEASE", "5m"),
            ("SHUTDOWN_GRACE", "1h30m"),
            ("EVENTS_KEEP", "500d"),
            ("BACKUP_UNDELETE_WINDOW", "0s"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.uploads.max_size, 3 << 30);
        assert_eq!(config.uploads.retention.bytes, 20_000_000);
        assert_eq!(config.uploads.default_quota, Some(3 << 39));
        assert_eq!(config.uploads.min_rate, 2048);
        assert_eq!(config.upkeep.lease, Duration::from_secs(300));
        assert_eq!(config.http.shutdown_grace, Duration::from_secs(5400));
        assert_eq!(config.upkeep.events_keep, Duration::from_hours(500 * 24));
    }

    #[test]
    fn zero_means_unlimited_or_off() {
        let config =
            config(&[("BACKUP_MAX_SIZE_PER_ORG", "0"), ("BACKUP_RATE_LIMIT_PER_HOUR", "0")]).unwrap();
        assert_eq!(config.uploads.default_quota, None);
        assert_eq!(config.uploads.rate.per_hour, 0);
    }

    #[test]
    fn error_names_the_variable() {
        let cases = [
            ("LISTEN_ADDRESS", "8081"),
            ("BACKUP_MAX_UPLOAD_SIZE", "2Gb"),
            ("BACKUP_MAX_UPLOAD_SIZE", "2E"),
            ("BACKUP_MAX_UPLOAD_SIZE", "0"),
            ("BACKUP_MAX_PER_SYSTEM", "0"),
            ("BACKUP_MAX_PER_SYSTEM", "-1"),
            ("BACKUP_MAX_SIZE_PER_ORG", ""),
            ("BACKUP_RATE_LIMIT_PER_HOUR", "601"),
            ("BACKUP_BODY_IDLE_TIMEOUT", "0"),
            ("BACKUP_MAX_SIZE_PER_ORG", "1025P"),
            ("BACKUP_BODY_MIN_RATE", "1KB"),
            ("BACKUP_LEASE", "1.5"),
            ("BACKUP_LEASE", "5M"),
            ("BACKUP_LEASE", "367d"),
            ("BACKUP_PRESIGN_TTL", "8d"),
            ("BACKUP_UNDELETE_WINDOW", "60"),
            ("TRUSTED_PROXIES", "proxy.example"),
            ("TLS_CERT_FILE", "cert.pem"),
            ("BACKUP_S3_BUCKET", "backups"),
            ("S3_ENDPOINT", "https://s3.example"),
            ("S3_SECRET_KEY_FILE", "key"),
            ("BACKUP_PRESIGN_TTL", "604801"),
            ("BACKUP_PRESIGN_TTL", "0"),
            ("JWT_ISSUER", "me"),
            ("MANAGEMENT_CORS_ORIGINS", "*"),
        ];
        for (variable, value) in cases {
            let error = config(&[(variable, value)]).unwrap_err();
            let names = error.variable == variable || error.problem.contains(variable);
            assert!(names, "{variable}={value}: {error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }

    #[test]
    fn database_url_is_required() {
        let error = Config::read(&Variables::from_pairs([])).unwrap_err();
        assert_eq!(error.variable, "DATABASE_URL");
    }
}
