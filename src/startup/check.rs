//! Checks what a start would read, without starting: `strongroom serve --check`.

use chrono::{DateTime, Utc};

use super::listeners::load_certificates;
use super::{StartError, connector, parts};
use crate::config::Config;

/// The result of a successful check.
#[derive(Debug)]
pub struct Checked {
    /// When the certificate expires, if one is set.
    pub certificate_expires: Option<DateTime<Utc>>,
}

/// Reads every file that the settings name, as a start does. Needs neither the database nor the store, and no listener: a
/// service with the same settings may be running.
///
/// A start uses a certificate that has expired or is not valid yet, because a service that clients refuse is no worse than
/// none. Here such a certificate is an error: a reload would replace one that may still be valid.
pub fn check(config: &Config) -> Result<Checked, StartError> {
    connector(config)?;
    let certificates = load_certificates(&config.http)?;
    if let Some(certificates) = &certificates {
        certificates.check_validity(Utc::now()).map_err(|error| StartError::Setting(error.to_string()))?;
    }
    if let Some(tokens) = &config.management.tokens {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|source| StartError::Io { doing: "start the runtime".to_owned(), source })?;
        parts::token_verifier(Some(tokens), runtime.handle())?;
    }
    Ok(Checked { certificate_expires: certificates.and_then(|certificates| certificates.expires()) })
}
