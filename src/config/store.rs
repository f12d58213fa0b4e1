//! The settings of the store.

use secrecy::ExposeSecret;
use std::net::IpAddr;

use super::ConfigError;
use super::parse::{Variables, base_url, wrong};
use super::proxy::proxy_for;
use crate::store::{S3Settings, StoreSettings};

#[derive(Debug)]
pub struct StoreConfig {
    pub settings: StoreSettings,
    /// Lines for the log: what is set and has no effect.
    pub warnings: Vec<String>,
}

const BUCKET: &str = "BACKUP_S3_BUCKET";
/// Settings that mean nothing without a bucket.
const OF_S3: &[&str] = &[
    "S3_ENDPOINT",
    "S3_ACCESS_KEY",
    "S3_ACCESS_KEY_FILE",
    "S3_SECRET_KEY",
    "S3_SECRET_KEY_FILE",
    "BACKUP_S3_REGION",
    "BACKUP_S3_ALLOW_INSECURE",
    "BACKUP_S3_USE_PATH_STYLE",
    "BACKUP_S3_PRESIGN_ENDPOINT",
];

impl StoreConfig {
    pub(super) fn read(env: &Variables) -> Result<Self, ConfigError> {
        let data_dir = env.path("BACKUP_DATA_DIR", "var/objects")?;
        let Some(bucket) = env.get(BUCKET) else {
            return match OF_S3.iter().find(|name| env.get(name).is_some()) {
                Some(name) => Err(wrong(name, format!("it needs {BUCKET} beside it"))),
                None => Ok(Self { settings: StoreSettings::Local(data_dir), warnings: Vec::new() }),
            };
        };
        Self::read_bucket(env, bucket)
    }

    fn read_bucket(env: &Variables, bucket: &str) -> Result<Self, ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if bucket.is_empty() || bucket.starts_with('.') || !bucket.chars().all(plain) {
            return Err(wrong(
                BUCKET,
                format!("{bucket:?} is not a bucket's name: letters, digits, '-', '.' and '_'"),
            ));
        }
        let insecure = env.parsed("BACKUP_S3_ALLOW_INSECURE", "false", "true or false")?;
        let required = |name| env.get(name).ok_or_else(|| wrong(name, format!("{BUCKET} needs it")));
        // Clients see a presigned URL anyway, so http is allowed for it in any network.
        let presign_endpoint = match env.get("BACKUP_S3_PRESIGN_ENDPOINT") {
            Some(url) => Some(endpoint("BACKUP_S3_PRESIGN_ENDPOINT", url, true)?),
            None => None,
        };
        let address = endpoint("S3_ENDPOINT", required("S3_ENDPOINT")?, insecure)?;
        // Both stand in a header of each request.
        let access_key = env.secret("S3_ACCESS_KEY")?.expose_secret().to_owned();
        if !access_key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(wrong("S3_ACCESS_KEY", "it has a character that no access key has"));
        }
        let region: String = env.parsed("BACKUP_S3_REGION", "us-east-1", "a region")?;
        if region.is_empty() || !region.chars().all(plain) {
            return Err(wrong(
                "BACKUP_S3_REGION",
                "it is not a region's name: letters, digits, '-', '.' and '_'",
            ));
        }
        let mut warnings = Vec::new();
        let path_style: bool = env.parsed("BACKUP_S3_USE_PATH_STYLE", "true", "true or false")?;
        if !path_style {
            warnings.push("BACKUP_S3_USE_PATH_STYLE is false: path-style is used all the same".to_owned());
        }
        if let Some(proxy) = proxy_for(env, &address) {
            warnings
                .push(format!("{proxy} is set and not used: the engine is reached directly (S3_ENDPOINT)"));
        }
        let settings = StoreSettings::S3(S3Settings {
            endpoint: address,
            region,
            bucket: bucket.to_owned(),
            access_key,
            secret_key: env.secret("S3_SECRET_KEY")?,
            presign_endpoint,
        });
        Ok(Self { settings, warnings })
    }
}

/// A setting of the form `https://host[:port]`. Only the headers of a streamed body are signed, so nobody on the way may
/// be able to change what is sent: hence https, unless the engine is on this machine or the operator says otherwise.
fn endpoint(variable: &str, url: &str, insecure: bool) -> Result<String, ConfigError> {
    let (scheme, host) = base_url(variable, url)?;
    if scheme == "http" && !insecure && !is_loopback(host) {
        let how = "it has to be https (or set BACKUP_S3_ALLOW_INSECURE=true in a network that you trust)";
        return Err(wrong(variable, how));
    }
    Ok(format!("{scheme}://{host}"))
}

pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(vars: &[(&str, &str)]) -> Result<StoreConfig, ConfigError> {
        StoreConfig::read(&Variables::from_pairs(vars.iter().copied()))
    }

    fn s3(vars: &[(&str, &str)]) -> Result<(S3Settings, Vec<String>), ConfigError> {
        let all = [
            ("BACKUP_S3_BUCKET", "backups"),
            ("S3_ENDPOINT", "https://s3.example/"),
            ("S3_ACCESS_KEY", "name"),
            ("S3_SECRET_KEY", "secret"),
        ];
        let all: Vec<_> = all.iter().chain(vars).copied().collect();
        let StoreConfig { settings, warnings } = store(&all)?;
        match settings {
            StoreSettings::S3(settings) => Ok((settings, warnings)),
            local @ StoreSettings::Local(_) => panic!("{local:?}"),
        }
    }

    #[test]
    fn without_a_bucket_the_store_is_local() {
        assert!(matches!(store(&[]).unwrap().settings, StoreSettings::Local(_)));
        for name in OF_S3 {
            assert_eq!(store(&[(name, "true")]).unwrap_err().variable, *name);
        }
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let (settings, warnings) = s3(&[]).unwrap();
        assert_eq!(settings.endpoint, "https://s3.example");
        assert_eq!(settings.region, "us-east-1");
        assert!(warnings.is_empty() && settings.presign_endpoint.is_none());
    }

    #[test]
    fn a_setting_without_effect_is_a_warning_that_names_it() {
        for (name, value) in [("BACKUP_S3_USE_PATH_STYLE", "false"), ("HTTPS_PROXY", "http://proxy:3128")] {
            let (_, warnings) = s3(&[(name, value)]).unwrap();
            assert!(warnings.len() == 1 && warnings[0].starts_with(name), "{warnings:?}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_or_where_it_is_allowed() {
        for endpoint in ["http://127.0.0.1:3900", "http://localhost", "http://[::1]:3900"] {
            assert_eq!(s3(&[("S3_ENDPOINT", endpoint)]).unwrap().0.endpoint, endpoint);
        }
        for endpoint in ["http://s3.example", "http://10.0.0.1:3900", "http://127.0.0.1.example"] {
            assert_eq!(s3(&[("S3_ENDPOINT", endpoint)]).unwrap_err().variable, "S3_ENDPOINT");
            assert!(s3(&[("S3_ENDPOINT", endpoint), ("BACKUP_S3_ALLOW_INSECURE", "true")]).is_ok());
        }
    }

    #[test]
    fn a_wrong_value_names_its_variable() {
        for (variable, value) in [
            ("S3_ENDPOINT", "s3.example"),
            ("S3_ENDPOINT", "https://"),
            ("S3_ENDPOINT", "https://s3.example/path"),
            ("S3_ENDPOINT", "https://me:secret@s3.example"),
            ("S3_ENDPOINT", "ftp://s3.example"),
            ("S3_ACCESS_KEY", ""),
            ("S3_SECRET_KEY", ""),
            ("S3_SECRET_KEY", " \n"),
            ("S3_SECRET_KEY", "sec\nret"),
            ("S3_ACCESS_KEY", "na me"),
            ("S3_ACCESS_KEY", "na\rme"),
            ("S3_ACCESS_KEY", "n\u{e4}me"),
            ("BACKUP_S3_REGION", "a b"),
            ("BACKUP_S3_REGION", ""),
            ("BACKUP_S3_BUCKET", ""),
            ("BACKUP_S3_BUCKET", "a/b"),
            ("BACKUP_S3_USE_PATH_STYLE", "maybe"),
            ("BACKUP_S3_ALLOW_INSECURE", "1"),
            ("BACKUP_S3_PRESIGN_ENDPOINT", "public"),
        ] {
            assert_eq!(s3(&[(variable, value)]).unwrap_err().variable, variable, "{value}");
        }
    }
}
