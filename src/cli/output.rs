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
        table.add_row(row.map(|cell| printable(&cell)));
    }
    lines_of(&table)
}

/// Formats a table of that style.
pub fn lines_of(table: &Table) -> String {
    // The style puts a space before the first column.
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// The same for a list, which may be empty: then returns `none`.
pub fn list<const N: usize>(
    none: &str,
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() { none.to_owned() } else { table(header, rows) }
}

/// Formats facts about one thing, one a line.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(what, _)| what.len() + 1).max().unwrap_or_default();
    let line = |(what, fact): &(&str, String)| {
        let what = format!("{what}:");
        format!("{what:<width$}  {}", printable(fact))
    };
    facts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Escapes control characters: a name with a line break must not look like two rows, nor control the terminal.
pub fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// Formats a time, and how long ago it was; `never` without one.
pub fn time_ago(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{} ({})", time(at), ago(at)))
}

fn ago(at: DateTime<Utc>) -> String {
    let seconds = u64::try_from((Utc::now() - at).num_seconds()).unwrap_or_default();
    let (count, unit) = match seconds {
        0..60 => return "less than a minute ago".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
