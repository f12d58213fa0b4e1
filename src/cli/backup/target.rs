//! Where `strongroom backup fetch` writes: a new file, or standard output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crate::cli::account::as_caller;
use crate::cli::exit::Failure;
use crate::cli::say::say;

pub enum Target {
    File {
        path: PathBuf,
        file: File,
    },
    /// Not the standard library's handle, which looks for the end of a line in every chunk.
    Stdout(File),
}

impl Target {
    /// Makes the file, which must not exist yet, or takes standard output for `-`.
    pub fn open(output: &Path) -> Result<Self, Failure> {
        if output != Path::new("-") {
            let created = as_caller(|| OpenOptions::new().write(true).create_new(true).open(output));
            let file = created.map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    Failure::Refused(format!("{} exists already: it is not overwritten", output.display()))
                }
                _ => cannot_write(output, &error),
            })?;
            return Ok(Self::File { path: output.to_owned(), file });
        }
        if io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "-o -: standard output is a terminal, and a backup is not text: pipe it into a program, or name a file"
                    .to_owned(),
            ));
        }
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        Ok(Self::Stdout(stdout.map_err(|error| cannot_write(Path::new("-"), &error))?.into()))
    }

    pub fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Returns the name of the file, or `-`.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Stdout(_) => "-".to_owned(),
        }
    }

    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        match self {
            Self::File { path, file } => file.write_all(chunk).map_err(|error| cannot_write(path, &error)),
            Self::Stdout(stdout) => {
                stdout.write_all(chunk).map_err(|error| cannot_write(Path::new("standard output"), &error))
            }
        }
    }

    /// Makes the bytes durable, if they are in a file.
    pub fn sync(&self) -> Result<(), Failure> {
        match self {
            Self::File { path, file } => file.sync_all().map_err(|error| cannot_write(path, &error)),
            Self::Stdout(_) => Ok(()),
        }
    }

    /// Ends the work. After a failure the file is removed: this command has made it.
    pub fn close(self, result: Result<(), Failure>) -> Result<(), Failure> {
        if let (Self::File { path, file }, Err(_)) = (&self, &result)
            && as_caller(|| fs::remove_file(path)).is_err()
        {
            // The folder may have changed meanwhile.
            let _ = file.set_len(0);
            say(&format!("could not remove {}: it is empty, remove it", path.display()));
        }
        result
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("could not write {}: {error}", path.display()))
}
