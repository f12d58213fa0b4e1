//! The output of commands: a table for people, one JSON document for scripts.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::exit::Failure;

pub struct Output {
    pub json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `value` as JSON, or as the text that `human` returns.
    pub fn print<T: Serialize>(&self, value: &T, human: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        write(&self.text(value, human)?)
    }

    /// The same, but also fails if the reader closes the pipe before the end.
    pub fn print_all<T: Serialize>(
        &self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let text = self.text(value, human)?;
        let mut stdout = std::io::stdout();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| cannot_write(&error))
    }

    fn text<T: Serialize>(&self, value: &T, human: impl FnOnce(&T) -> String) -> Result<String, Failure> {
        if !self.json {
            return Ok(format!("{}\n", human(value)));
        }
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::Refused(format!("print as JSON: {e}")))?;
        Ok(format!("{text}\n"))
    }
}

/// Writes to stdout. A reader that closes the pipe early (`| head`) is not a failure.
pub fn write(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
        _ => Ok(()),
    }
}

fn cannot_write(error: &std::io::Error) -> Failure {
    Failure::Refused(format!("write to stdout: {error}"))
}

/// Formats a table without lines.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
