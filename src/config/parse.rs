//! Reads single variables of the environment.

use std::collections::HashMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::{ConfigError, TlsFiles, literal, networks, table};
use crate::domain::rate_window::RateLimits;

pub fn wrong(variable: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError { variable: variable.to_owned(), problem: problem.into() }
}

/// The scheme and the host (with its port) of `https://HOST[:PORT]`, or of `http://`; a slash at its end is dropped.
/// The error doesn't repeat the value: it may be one with a password in it.
pub fn base_url<'a>(variable: &str, url: &'a str) -> Result<(&'a str, &'a str), ConfigError> {
    let (scheme, host) = url.split_once("://").unwrap_or_default();
    let host = host.trim_end_matches('/');
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/?#@\"'<>".contains(c);
    if !matches!(scheme, "http" | "https") || host.is_empty() || host.contains(odd) {
        return Err(wrong(variable, "it has to be https://HOST or https://HOST:PORT, and nothing more"));
    }
    Ok((scheme, host))
}

/// The variables that are set.
pub struct Variables(HashMap<String, String>);

impl Variables {
    pub fn of_process() -> Self {
        // A value that is not UTF-8 is made printable, so that it is refused rather than overlooked.
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect())
    }

    #[cfg(test)]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Refuses settings whose values can't be meant as they are, before any of them is used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut own: Vec<_> = self.0.iter().filter(|(name, _)| table::is_setting(name)).collect();
        own.sort();
        own.into_iter().try_for_each(|(name, value)| literal::check(name, value))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn parsed<T: FromStr>(&self, name: &str, default: &str, expected: &str) -> Result<T, ConfigError> {
        let text = self.get(name).unwrap_or(default);
        text.parse().map_err(|_| wrong(name, format!("{text:?} is not {expected}")))
    }

    pub fn number(&self, name: &str, default: u64, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let value: u64 = self.parsed(name, &default.to_string(), "a whole number")?;
        if range.contains(&value) {
            return Ok(value);
        }
        let (least, most) = range.into_inner();
        let bounds =
            if most == u64::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
        Err(wrong(name, format!("{value} is out of range: {bounds}")))
    }

    pub fn seconds(&self, name: &str, default: u64) -> Result<Duration, ConfigError> {
        // No time span of ours can sensibly be longer than a year.
        Ok(Duration::from_secs(self.number(name, default, 1..=366 * 86_400)?))
    }

    pub fn rate(&self, name: &str, default: u64) -> Result<usize, ConfigError> {
        let most = RateLimits::MOST as u64;
        Ok(usize::try_from(self.number(name, default, 0..=most)?).unwrap_or(RateLimits::MOST))
    }

    pub fn path(&self, name: &str, default: &str) -> Result<PathBuf, ConfigError> {
        match self.get(name).unwrap_or(default) {
            "" => Err(wrong(name, "it is empty: name a path, or unset it")),
            path => Ok(PathBuf::from(path)),
        }
    }

    pub fn networks(&self, name: &str) -> Result<Vec<IpNet>, ConfigError> {
        networks::parse(self.get(name).unwrap_or_default()).map_err(|problem| wrong(name, problem))
    }

    pub fn tls_files(&self) -> Result<Option<TlsFiles>, ConfigError> {
        let names = ["TLS_CERT_FILE", "TLS_KEY_FILE"];
        match names.map(|name| self.get(name)) {
            [None, None] => Ok(None),
            [Some(_), Some(_)] => {
                let (cert, key) = (self.path(names[0], "")?, self.path(names[1], "")?);
                Ok(Some(TlsFiles { cert, key }))
            }
            [Some(_), None] => Err(wrong("TLS_CERT_FILE", "it needs TLS_KEY_FILE beside it")),
            [None, Some(_)] => Err(wrong("TLS_KEY_FILE", "it needs TLS_CERT_FILE beside it")),
        }
    }

    /// A secret, from the variable itself, the file that `NAME_FILE` names, or a systemd credential called `NAME`.
    pub fn secret(&self, name: &str) -> Result<SecretString, ConfigError> {
        self.optional_secret(name)?.ok_or_else(|| {
            wrong(name, format!("it is required, or {name}_FILE with the name of a file that has it"))
        })
    }

    /// The same for a secret that may be missing.
    pub fn optional_secret(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        if let Some(value) = self.get(name).filter(|value| !value.is_empty()) {
            return checked(name, "it", value).map(Some);
        }
        let file = format!("{name}_FILE");
        if self.get(&file).is_some() {
            return secret_in(&file, &self.path(&file, "")?).map(Some);
        }
        let credential = self.get("CREDENTIALS_DIRECTORY").map(|dir| Path::new(dir).join(name));
        credential.filter(|path| path.exists()).map(|path| secret_in(name, &path)).transpose()
    }
}

/// Reads a secret from a file.
fn secret_in(variable: &str, path: &Path) -> Result<SecretString, ConfigError> {
    let name = shown(path);
    let text = fs::read_to_string(path).map_err(|e| wrong(variable, format!("can't read {name}: {e}")))?;
    checked(variable, &name, &text)
}

/// The name of a file, unless it may be the secret itself, put where a name belongs: a name leads to a folder.
fn shown(path: &Path) -> String {
    let folder = path.parent().filter(|folder| folder.parent().is_some() && folder.is_dir());
    folder.map_or_else(|| "the file that it names".to_owned(), |_| path.display().to_string())
}

/// A secret without the white space around it. Line breaks and other control characters are no part of any secret of ours: they
/// end up in headers and on lines, where whoever refuses them repeats what they stand in.
fn checked(variable: &str, place: &str, text: &str) -> Result<SecretString, ConfigError> {
    // The mark that some editors put in front of UTF-8 can't be seen.
    let secret = text.trim_start_matches('\u{feff}').trim();
    if secret.is_empty() {
        return Err(wrong(variable, format!("{place} is empty")));
    }
    if secret.contains(char::is_control) {
        let problem =
            format!("{place} has a line break or another control character in it: it has to be one line");
        return Err(wrong(variable, problem));
    }
    let problem = literal::problem_of_text(secret);
    problem.map_or(Ok(secret.into()), |text| Err(wrong(variable, format!("in {place}: {text}"))))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_in_a_file_is_held_to_the_rules_of_settings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            fs::write(file.path(), text).unwrap();
            secret_in("S3_SECRET_KEY_FILE", file.path())
        };
        for text in ["s3cr3t", "s3cr3t\n", "s3cr3t\r\n", "s3cr3t\n\n", " s3cr3t \n", "\u{feff}s3cr3t"] {
            assert_eq!(read(text).unwrap().expose_secret(), "s3cr3t", "{text:?}");
        }
        for text in ["", "\n", " \n", "\"s3cr3t\"\n", "s3cr3t\rs3cr3t\n", "s3cr3t\u{fffd}"] {
            let error = read(text).unwrap_err();
            assert_eq!(error.variable, "S3_SECRET_KEY_FILE");
            assert!(!error.problem.contains("s3cr3t"), "{text:?}: {error}");
        }
    }
}
