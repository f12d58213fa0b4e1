//! Reads the settings of the store.

use secrecy::ExposeSecret;

use super::ConfigError;
use super::check::is_loopback;
use super::proxy::proxy_for;
use super::setting::{Entry, Setting};
use super::settings::objects::{
    BACKUP_DATA_DIR, BACKUP_S3_ALLOW_INSECURE, BACKUP_S3_BUCKET, BACKUP_S3_PRESIGN_ENDPOINT,
    BACKUP_S3_REGION, BACKUP_S3_USE_PATH_STYLE, S3_ACCESS_KEY, S3_ENDPOINT, S3_SECRET_KEY,
};
use super::variables::{Variables, wrong};
use crate::store::{S3Settings, StoreSettings};

#[derive(Debug)]
pub struct StoreConfig {
    pub settings: StoreSettings,
    /// Lines for the log about settings that have no effect.
    pub warnings: Vec<String>,
}

/// The settings that are refused without a bucket.
const BUCKET_SETTINGS: &[&dyn Entry] = &[
    &S3_ENDPOINT,
    &S3_ACCESS_KEY,
    &S3_SECRET_KEY,
    &BACKUP_S3_REGION,
    &BACKUP_S3_ALLOW_INSECURE,
    &BACKUP_S3_USE_PATH_STYLE,
    &BACKUP_S3_PRESIGN_ENDPOINT,
];

impl StoreConfig {
    pub(super) fn read(env: &Variables) -> Result<Self, ConfigError> {
        let data_dir = env.read(&BACKUP_DATA_DIR)?;
        match env.get(&BACKUP_S3_BUCKET)? {
            Some(bucket) => Self::read_bucket(env, bucket),
            None => match BUCKET_SETTINGS.iter().find_map(|setting| env.set_by(setting.about())) {
                Some(variable) => Err(wrong(&variable, "it needs BACKUP_S3_BUCKET beside it")),
                None => Ok(Self { settings: StoreSettings::Local(data_dir), warnings: Vec::new() }),
            },
        }
    }

    fn read_bucket(env: &Variables, bucket: String) -> Result<Self, ConfigError> {
        let endpoint = required(env, &S3_ENDPOINT)?;
        // Without TLS anybody on the way to another machine could change a streamed body: only its headers are signed.
        // The endpoint of presigned URLs may be http in any network, because clients see these URLs anyway.
        let insecure = env.read(&BACKUP_S3_ALLOW_INSECURE)?;
        if !insecure && endpoint.strip_prefix("http://").is_some_and(|host| !is_loopback(host)) {
            let how = "it has to be https (or set BACKUP_S3_ALLOW_INSECURE=true in a network that you trust)";
            return Err(wrong("S3_ENDPOINT", how));
        }
        let mut warnings = Vec::new();
        if !env.read(&BACKUP_S3_USE_PATH_STYLE)? {
            warnings.push("BACKUP_S3_USE_PATH_STYLE is false: path-style is used all the same".to_owned());
        }
        if let Some(proxy) = proxy_for(env, &endpoint) {
            warnings
                .push(format!("{proxy} is set and not used: the engine is reached directly (S3_ENDPOINT)"));
        }
        let settings = StoreSettings::S3(S3Settings {
            endpoint,
            region: env.read(&BACKUP_S3_REGION)?,
            bucket,
            access_key: env.read(&S3_ACCESS_KEY)?.expose_secret().to_owned(),
            secret_key: env.read(&S3_SECRET_KEY)?,
            presign_endpoint: env.get(&BACKUP_S3_PRESIGN_ENDPOINT)?,
        });
        Ok(Self { settings, warnings })
    }
}

fn required<T>(env: &Variables, setting: &Setting<T>) -> Result<T, ConfigError> {
    env.get(setting)?.ok_or_else(|| wrong(setting.about.name, "BACKUP_S3_BUCKET needs it"))
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
        for variable in BUCKET_SETTINGS.iter().flat_map(|setting| setting.about().variables()) {
            assert_eq!(store(&[(&variable, "true")]).unwrap_err().variable, variable);
        }
    }

    #[test]
    fn defaults_are_the_documented_ones() {
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
    fn plain_http_is_accepted_on_loopback_or_if_allowed() {
        for endpoint in ["http://127.0.0.1:3900", "http://localhost", "http://[::1]:3900"] {
            assert_eq!(s3(&[("S3_ENDPOINT", endpoint)]).unwrap().0.endpoint, endpoint);
        }
        for endpoint in ["http://s3.example", "http://10.0.0.1:3900", "http://127.0.0.1.example"] {
            assert_eq!(s3(&[("S3_ENDPOINT", endpoint)]).unwrap_err().variable, "S3_ENDPOINT");
            assert!(s3(&[("S3_ENDPOINT", endpoint), ("BACKUP_S3_ALLOW_INSECURE", "true")]).is_ok());
        }
    }

    #[test]
    fn error_names_the_variable() {
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
