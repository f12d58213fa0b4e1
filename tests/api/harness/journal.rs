//! A file in place of systemd's journal: the process finds in `JOURNAL_STREAM` that its stderr is the journal.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use tempfile::NamedTempFile;

pub struct Journal(NamedTempFile);

impl Journal {
    pub fn new() -> Self {
        Self(NamedTempFile::new().expect("a file"))
    }

    /// Connects the command's stderr to this journal.
    pub fn connect<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let metadata = self.0.as_file().metadata().expect("its metadata");
        self.write_here(command).env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()))
    }

    /// Makes this file the command's stderr, while `JOURNAL_STREAM` names another one: as in a child of a service.
    pub fn connect_child<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let metadata = self.0.as_file().metadata().expect("its metadata");
        self.write_here(command).env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino() + 1))
    }

    fn write_here<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let file = File::options().append(true).open(self.0.path()).expect("open the file");
        command.stderr(file)
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(self.0.path()).expect("read the file")
    }

    /// Checks that each line of level error, and no other one, begins with `<3>`; returns the lines without it.
    #[track_caller]
    pub fn errors(&self) -> Vec<String> {
        let text = self.text();
        let errors = text.lines().filter_map(|line| line.strip_prefix("<3>")).map(str::to_owned).collect();
        assert!(text.lines().all(|line| line.starts_with('<')), "each line has a level: {text}");
        errors
    }
}
