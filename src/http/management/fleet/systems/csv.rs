//! Systems as CSV (RFC 4180), for spreadsheets.

use chrono::{DateTime, Utc};
use csv_core::{Terminator, WriteResult, WriterBuilder};

use crate::fleet::SystemSummary;
use crate::http::envelope;

/// The columns, by the names that the members have in JSON.
const COLUMNS: [&str; 19] = [
    "id",
    "system_key",
    "name",
    "org_id",
    "state",
    "status",
    "status_reason",
    "status_since",
    "changes_at",
    "protected_until",
    "last_backup_at",
    "last_unchanged_at",
    "last_seen_at",
    "backups_kept",
    "bytes_kept",
    "backup_period_seconds",
    "contact_period_seconds",
    "created_at",
    "refused_reason",
];

/// Returns the line with the names of the columns.
pub fn header() -> Vec<u8> {
    lines([COLUMNS.map(str::to_owned)])
}

/// Returns a line for each system.
pub fn rows(systems: Vec<SystemSummary>) -> Vec<u8> {
    lines(systems.into_iter().map(cells))
}

fn lines(rows: impl IntoIterator<Item = [String; COLUMNS.len()]>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).build();
    let mut out = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                put(&mut out, |buffer| writer.delimiter(buffer));
            }
            let mut rest = cell.as_bytes();
            put(&mut out, |buffer| {
                let (result, read, written) = writer.field(rest, buffer);
                rest = &rest[read..];
                (result, written)
            });
        }
        put(&mut out, |buffer| writer.terminator(buffer));
    }
    out
}

/// Appends what `write` writes, in as many steps as it needs.
fn put(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> (WriteResult, usize)) {
    let mut buffer = [0; 256];
    loop {
        let (result, written) = write(&mut buffer);
        out.extend_from_slice(&buffer[..written]);
        if result == WriteResult::InputEmpty {
            return;
        }
    }
}

fn cells(system: SystemSummary) -> [String; COLUMNS.len()] {
    let time = |at: Option<DateTime<Utc>>| at.map(envelope::timestamp).unwrap_or_default();
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        system.id.to_string(),
        inert(system.system_key),
        inert(system.name),
        inert(system.org_id),
        system.state.to_string(),
        system.status.to_string(),
        inert(system.status_reason),
        time(system.status_since),
        time(system.changes_at),
        time(system.protected_until),
        time(system.last_backup_at),
        time(system.last_unchanged_at),
        time(system.last_seen_at),
        system.backups.to_string(),
        system.bytes.to_string(),
        number(system.backup_period_seconds),
        number(system.contact_period_seconds),
        envelope::timestamp(system.created_at),
        system.refused_reason.map(|reason| reason.to_string()).unwrap_or_default(),
    ]
}

/// Puts an apostrophe before a text that a spreadsheet would take for a formula, and run. In some countries spreadsheets
/// separate cells by semicolons, so what follows one may be a cell of its own.
fn inert(text: String) -> String {
    if !text.contains(['=', '+', '-', '@', '\t', '\r', '\n']) {
        return text;
    }
    let (mut out, mut begins) = (String::with_capacity(text.len() + 1), true);
    for char in text.chars() {
        if begins && matches!(char, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n') {
            out.push('\'');
        }
        out.push(char);
        begins = char == ';' || begins && matches!(char, ' ' | '"');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_made_inert_and_other_texts_stay() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=HYPERLINK(\"http://x\")"] {
            assert_eq!(inert(formula.to_owned()), format!("'{formula}"));
        }
        for (text, expected) in
            [("x;=1", "x;'=1"), ("x; =1;+2", "x; '=1;'+2"), ("x;\"=1\"", "x;\"'=1\""), ("\"=1\"", "\"'=1\"")]
        {
            assert_eq!(inert(text.to_owned()), expected);
        }
        for text in ["", "fw-01", "a=b", "'=1", "1-2", "Zürich", "a;b-c"] {
            assert_eq!(inert(text.to_owned()), text);
        }
    }

    #[test]
    fn lines_are_those_of_rfc_4180() {
        let mut row = [const { String::new() }; COLUMNS.len()];
        row[0] = "a,b".to_owned();
        row[1] = "say \"x\"".to_owned();
        row[2] = "two\nlines".to_owned();
        row[3] = "x".repeat(1000);
        let text = String::from_utf8(lines([row])).unwrap();
        assert!(text.starts_with("\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",xxx"), "{text}");
        assert_eq!(text.matches('x').count(), 1001, "{text}");
        assert!(text.ends_with(",\r\n"), "{text}");
        let header = String::from_utf8(header()).unwrap();
        assert!(header.starts_with("id,system_key,name,org_id,state,status,"), "{header}");
    }
}
