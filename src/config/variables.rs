//! Reads settings from environment variables.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::setting::{About, Kind, Setting};
use super::settings::database::DATABASE_URL;
use super::{ConfigError, check, literal, settings, unknown};

/// The file that the unit reads.
pub const INSTALLED: &str = "/etc/strongroom/strongroom.env";
/// The variable that a command sets when it executes itself again with the settings of an env file: its process id, a blank
/// and the path of the file. The id stays the same; so a child process does not take the variable for its own.
pub const SOURCE: &str = "STRONGROOM_ENV_FILE_OF";

pub fn wrong(variable: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError { variable: variable.to_owned(), problem: problem.into() }
}

/// The environment variables that are set.
pub struct Variables(HashMap<String, String>);

impl Variables {
    pub fn of_process() -> Self {
        // A value that is not UTF-8 is converted with replacement characters, so that a check refuses it.
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect())
    }

    #[cfg(test)]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Refuses settings whose values can't be meant literally, and variables that are nearly settings. Called before any
    /// setting is used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort();
        all.into_iter().try_for_each(|(name, value)| {
            let checked = match settings::kind_of(name) {
                Some(kind) => literal::check(kind, value).map_err(str::to_owned),
                None => unknown::in_environment(name, value),
            };
            checked.map_err(|problem| wrong(name, problem))
        })
    }

    /// Returns the env file from which this process's environment was filled, if one was.
    pub fn source(&self) -> Option<&str> {
        let (process, path) = self.text(SOURCE)?.split_once(' ')?;
        (process == std::process::id().to_string()).then_some(path)
    }

    /// Returns the text of any variable, also of one that is no setting.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the variable that sets this setting, if one does. A systemd credential is no variable.
    pub fn set_by(&self, about: &About) -> Option<String> {
        about.variables().find(|name| self.0.contains_key(name))
    }

    /// Returns the value of a setting that is required or has a default.
    pub fn read<T>(&self, setting: &Setting<T>) -> Result<T, ConfigError> {
        let name = setting.about.name;
        self.get(setting)?.ok_or_else(|| match setting.about.kind {
            Kind::Secret => wrong(name, self.missing_secret(name)),
            _ => wrong(name, "it is required"),
        })
    }

    /// Returns the value of a setting, or its default; `None` if it is not set and has no default.
    pub fn get<T>(&self, setting: &Setting<T>) -> Result<Option<T>, ConfigError> {
        let About { name, kind, .. } = setting.about;
        if kind == Kind::Secret {
            let Some(Secret { variable, file, text }) = self.secret(name)? else { return Ok(None) };
            let place = file.map(|file| format!("in {file}: ")).unwrap_or_default();
            let value = (setting.parse)(&text).map_err(|problem| wrong(&variable, place + &problem))?;
            return Ok(Some(value));
        }
        let text = self.text(name).or(setting.about.default_text());
        text.map(setting.parse).transpose().map_err(|problem| wrong(name, problem))
    }

    fn missing_secret(&self, name: &str) -> String {
        let required = format!("it is required, or {name}_FILE with the name of a file that has it");
        match self.source() {
            // systemd passes a credential to the service alone.
            Some(file) => format!(
                "{required}: {file} sets neither. If it is a credential of the unit, set {name}_FILE to the file that \
                 LoadCredential= names"
            ),
            None if name == DATABASE_URL.about.name => {
                format!(
                    "{required}; without either, the settings are read from {INSTALLED}, which does not exist"
                )
            }
            None => required,
        }
    }

    /// Whether a secret is set, in any of the places where it may be.
    pub fn has_secret(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| !text.is_empty())
            || self.text(&format!("{name}_FILE")).is_some()
            || self.credential(name).is_some()
    }

    fn credential(&self, name: &str) -> Option<PathBuf> {
        let path = self.text("CREDENTIALS_DIRECTORY").map(|folder| Path::new(folder).join(name));
        path.filter(|path| path.exists())
    }

    /// Finds a secret in the variable itself, in a systemd credential called `NAME`, or in the file that `NAME_FILE` names.
    /// Commands have no credential: the file may be the one that it is loaded from, which the service can't read.
    fn secret(&self, name: &str) -> Result<Option<Secret>, ConfigError> {
        if let Some(text) = self.text(name).filter(|text| !text.is_empty()) {
            return Ok(Some(Secret { variable: name.to_owned(), file: None, text: text.to_owned() }));
        }
        if let Some(path) = self.credential(name) {
            return Secret::in_file(name.to_owned(), &path).map(Some);
        }
        let variable = format!("{name}_FILE");
        let Some(path) = self.text(&variable) else { return Ok(None) };
        let path = check::path(path).map_err(|problem| wrong(&variable, problem))?;
        Secret::in_file(variable, &path).map(Some)
    }
}

/// The unchecked text of a secret, and where it was found.
struct Secret {
    variable: String,
    file: Option<String>,
    text: String,
}

impl Secret {
    fn in_file(variable: String, path: &Path) -> Result<Self, ConfigError> {
        let file = shown(path);
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self { variable, file: Some(file), text }),
            Err(error) => Err(wrong(&variable, format!("can't read {file}: {error}"))),
        }
    }
}

/// Returns the path of a file for an error. A path without an existing folder is not shown: it may be a secret that was set by
/// mistake.
fn shown(path: &Path) -> String {
    let folder = path.parent().filter(|folder| folder.parent().is_some() && folder.is_dir());
    folder.map_or_else(|| "the file that it names".to_owned(), |_| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::settings::objects::S3_SECRET_KEY;
    use super::*;

    #[test]
    fn secret_in_a_file_follows_the_rules_of_settings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            fs::write(file.path(), text).unwrap();
            let name = file.path().to_str().unwrap();
            Variables::from_pairs([("S3_SECRET_KEY_FILE", name)]).read(&S3_SECRET_KEY)
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
