//! Prints a long list while its lines are found, so that memory does not grow with the number of lines.

use std::io::IsTerminal as _;

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;

use super::exit::Failure;
use super::output::{lines_of, printable, write};

/// Lines that are buffered before they are printed, so that their columns are aligned.
const BUFFERED_LINES: usize = 500;

/// A list, printed as a table for people, or as one JSON document for scripts: with a summary, or an array alone.
pub struct StreamedList<T, const N: usize> {
    json: bool,
    /// The list's name in the JSON document; `None`: the document is the array.
    name: Option<&'static str>,
    header: [&'static str; N],
    cells: fn(&T) -> [String; N],
    buffered: Vec<T>,
    started: bool,
    count: u64,
    /// The first failure. Nothing is printed after it.
    failure: Option<Failure>,
}

impl<T: Serialize, const N: usize> StreamedList<T, N> {
    pub fn new(
        json: bool,
        name: &'static str,
        header: [&'static str; N],
        cells: fn(&T) -> [String; N],
    ) -> Self {
        Self::of(json, Some(name), header, cells)
    }

    /// Begins a list that is an array in JSON.
    pub fn array(json: bool, header: [&'static str; N], cells: fn(&T) -> [String; N]) -> Self {
        Self::of(json, None, header, cells)
    }

    fn of(
        json: bool,
        name: Option<&'static str>,
        header: [&'static str; N],
        cells: fn(&T) -> [String; N],
    ) -> Self {
        let buffered = Vec::new();
        Self { json, name, header, cells, buffered, started: false, count: 0, failure: None }
    }

    /// Returns the number of lines so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn push(&mut self, line: T) {
        self.count += 1;
        self.buffered.push(line);
        if self.buffered.len() >= BUFFERED_LINES {
            self.flush();
        }
    }

    /// Ends the list, and prints its summary: in the JSON document the members of `summary`, after the table the text `human`.
    pub fn finish(mut self, summary: &impl Serialize, human: &str) -> Result<(), Failure> {
        self.flush();
        let end = if self.json { self.end(summary) } else { human.to_owned() };
        self.print(&end);
        self.failure.map_or(Ok(()), Err)
    }

    /// Ends a list that is an array in JSON, and prints the text `human` after the table, if there is one.
    pub fn finish_array(mut self, human: &str) -> Result<(), Failure> {
        self.flush();
        if self.json {
            let end = if self.started { "\n]" } else { "[]" };
            self.print(end);
        } else if !human.is_empty() {
            self.print(human);
        }
        self.failure.map_or(Ok(()), Err)
    }

    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.buffered);
        let indent = if self.name.is_some() { "    " } else { "  " };
        if self.json {
            for line in &lines {
                let before = if self.started { ",\n" } else { &self.beginning() };
                self.started = true;
                match serde_json::to_string(line) {
                    Ok(line) => self.put(&format!("{before}{indent}{line}")),
                    Err(error) => self.fail(Failure::Refused(format!("print as JSON: {error}"))),
                }
            }
        } else if !lines.is_empty() {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            if !self.started {
                table.set_header(self.header);
            }
            self.started = true;
            for line in &lines {
                table.add_row((self.cells)(line).map(|cell| printable(&cell)));
            }
            self.print(&fitting(lines_of(&table)));
        }
    }

    fn beginning(&self) -> String {
        self.name.map_or_else(|| "[\n".to_owned(), |name| format!("{{\n  \"{name}\": [\n"))
    }

    fn end(&self, summary: &impl Serialize) -> String {
        let mut end = if self.started { "\n  ]".to_owned() } else { self.beginning() + "  ]" };
        if let Ok(Value::Object(members)) = serde_json::to_value(summary) {
            end.extend(members.iter().map(|(name, value)| format!(",\n  \"{name}\": {value}")));
        }
        end + "\n}"
    }

    fn print(&mut self, text: &str) {
        self.put(&format!("{text}\n"));
    }

    fn put(&mut self, text: &str) {
        if self.failure.is_none()
            && let Err(failure) = write(text)
        {
            self.fail(failure);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }
}

/// The columns of a terminal that tables fit.
const TERMINAL_COLUMNS: usize = 120;

/// Cuts off what does not fit a terminal. A file or a program gets all of it.
fn fitting(lines: String) -> String {
    if !std::io::stdout().is_terminal() {
        return lines;
    }
    let cut = |line: &str| match line.char_indices().nth(TERMINAL_COLUMNS) {
        None => line.to_owned(),
        Some(_) => line.chars().take(TERMINAL_COLUMNS - 1).chain(['\u{2026}']).collect(),
    };
    lines.lines().map(cut).collect::<Vec<_>>().join("\n")
}
