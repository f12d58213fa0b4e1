//! The env file, `/etc/strongroom/strongroom.env`: what the unit reads before the service starts, and what a command reads by
//! itself if its environment does not say where the database is.
//!
//! A command does not use the variables of the file directly. It puts them into its environment and executes itself again
//! (`cli`), so that libraries find theirs (`SSL_CERT_FILE`, `PGSSLROOTCERT`), too, as in the service.

mod parse;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::setting::{About, Default, Entry, Kind};
use super::settings::{self, database::DATABASE_URL};
use super::variables::{INSTALLED, Variables, wrong};
use super::{ConfigError, unknown};
use parse::{Assignment, Malformed};

/// The rights of group and others to write a file.
const WRITABLE_FOR_OTHERS: u32 = 0o022;

/// An env file whose lines were read and checked.
#[derive(Debug)]
pub struct EnvironmentFile {
    pub path: PathBuf,
    variables: Vec<(String, String)>,
}

impl EnvironmentFile {
    /// Returns the file that this process needs for its settings: the named one. If none is named and the environment does not
    /// set DATABASE_URL, it is the installed one, if there is one. `None`: the settings are in the environment.
    ///
    /// `for_root`: whether this process is root's, whose commands do what the file says (`LD_PRELOAD`). Then the installed
    /// file, which nobody has named, has to be root's as well.
    pub fn needed(named: Option<&Path>, for_root: bool) -> Result<Option<Self>, ConfigError> {
        let process = Variables::of_process();
        if process.source().is_some() {
            return Ok(None);
        }
        match named {
            Some(path) => Self::read(path, false).map(Some),
            None if process.has_secret(DATABASE_URL.about.name) => Ok(None),
            None => match fs::metadata(INSTALLED) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                _ => Self::read(Path::new(INSTALLED), for_root).map(Some),
            },
        }
    }

    fn read(path: &Path, must_be_roots: bool) -> Result<Self, ConfigError> {
        let mut bytes = Vec::new();
        let file = File::open(path).and_then(|mut file| {
            file.read_to_end(&mut bytes)?;
            file.metadata()
        });
        let file = file.map_err(|error| unreadable(path, &error))?;
        if must_be_roots && (file.uid() != 0 || file.mode() & WRITABLE_FOR_OTHERS != 0) {
            let path = path.display();
            let problem = format!(
                "others than root can change it, and root's commands would do what it says: chown root {path} && chmod go-w {path}"
            );
            return Err(wrong(&path.to_string(), problem));
        }
        let variables = variables(&bytes).map_err(|Malformed { line, problem }| {
            wrong(&format!("{}, line {line}", path.display()), problem)
        })?;
        Ok(Self { path: path.to_owned(), variables })
    }

    /// Returns the variables that the process's environment gets: those of the file, except for settings that the process's
    /// environment has already, and those that the unit sets beside the file.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.beside(&Variables::of_process())
    }

    fn beside(&self, process: &Variables) -> Vec<(String, String)> {
        let of_unit = settings::all().filter_map(|setting| match setting.about().default {
            Default::IsOrOfUnit(_, text) => Some((setting.about().name.to_owned(), text.to_owned())),
            _ => None,
        });
        let is_set = |name: &String| {
            let setting =
                settings::all().map(Entry::about).find(|about| about.variables().any(|own| own == *name));
            // An empty secret counts as none, as everywhere.
            let sets = |about: &About, own: &str| {
                process.text(own).is_some_and(|text| about.kind != Kind::Secret || !text.is_empty())
            };
            setting
                .map_or(process.text(name).is_some(), |about| about.variables().any(|own| sets(about, &own)))
        };
        of_unit.chain(self.variables.iter().cloned()).filter(|(name, _)| !is_set(name)).collect()
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => ". Run the command as root: sudo strongroom ...",
        _ => "",
    };
    if path == Path::new(INSTALLED) {
        let problem =
            format!("it is not set, and {INSTALLED}, which may set it, could not be read: {error}{advice}");
        return wrong(DATABASE_URL.about.name, problem);
    }
    wrong(&path.display().to_string(), format!("could not be read: {error}{advice}"))
}

/// Returns the variables that a file sets, each of them checked.
fn variables(bytes: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Malformed { line, problem: "it is not UTF-8".to_owned() }
    })?;
    let assignments = parse::parse(text)?;
    for assignment in &assignments {
        check(assignment).map_err(|problem| Malformed { line: assignment.line, problem })?;
    }
    Ok(assignments.into_iter().map(|one| (one.name, one.value)).collect())
}

/// Refuses a line that the service would ignore or understand differently.
fn check(Assignment { name, value, .. }: &Assignment) -> Result<(), String> {
    unknown::in_file(name)?;
    let is_path = settings::kind_of(name) == Some(Kind::Path);
    if is_path && !value.is_empty() && !value.starts_with(['/', '~', '$', '%']) && !value.contains("://") {
        let problem =
            "write the whole path, from `/` on: the service and the commands run in different directories";
        return Err(format!("{name}: {problem}"));
    }
    Ok(())
}
