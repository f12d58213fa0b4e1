//! Time spans, as people write and read them.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// The units that a time span may have, in seconds.
const UNITS: &[(&[&str], u64)] = &[
    (&["s", "sec", "secs", "second", "seconds"], 1),
    (&["m", "min", "mins", "minute", "minutes"], 60),
    (&["h", "hr", "hrs", "hour", "hours"], 3600),
    (&["d", "day", "days"], 86_400),
    (&["w", "week", "weeks"], 604_800),
];

/// What a time span may look like, for help texts and errors.
pub const FORMS: &str = "a whole number with a unit: s, m (minutes), h, d or w, such as 90s or 1h30m";

/// Parses a time span that has units, such as `90s`, `5m`, `1d 12h`.
///
/// A number alone is refused: who writes 7 may mean days.
pub fn parse(text: &str) -> Result<Duration, String> {
    let not_a_span = || format!("{text:?} is not a time span: write {FORMS}");
    let mut rest = text;
    let mut seconds = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after.trim_start_matches(' '), |c| c.is_ascii_alphabetic());
        if number.is_empty() {
            return Err(not_a_span());
        }
        if matches!(unit, "M" | "month" | "months" | "y" | "year" | "years") {
            return Err(format!("{text:?}: a month or a year has no fixed length: write days"));
        }
        let known = UNITS.iter().find(|(names, _)| names.contains(&unit));
        let (_, factor) = known.ok_or_else(not_a_span)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        let sum = part.and_then(|part| seconds.checked_add(part));
        seconds = sum.ok_or_else(|| format!("{text:?} is too long"))?;
        rest = after.trim_start_matches(' ');
    }
    if text.is_empty() || text.starts_with(' ') || text.ends_with(' ') {
        return Err(not_a_span());
    }
    Ok(Duration::from_secs(seconds))
}

/// Parses a time span in plain seconds, or with units.
pub fn parse_or_seconds(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    parse(text).map_err(|error| error.replace(": write a whole", ": write seconds, or a whole"))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c: char| !belongs(c)).unwrap_or(text.len()))
}

/// Formats a time span exactly, in the largest unit of which it is a whole number: `5 minutes`, `90 seconds`.
pub fn exact(span: Duration) -> String {
    let seconds = span.as_secs();
    let fitting = UNITS.iter().rev().find(|(_, factor)| seconds > 0 && seconds.is_multiple_of(*factor));
    let (name, number) = fitting.map_or(("seconds", seconds), |(names, factor)| {
        let number = seconds / factor;
        (names[if number == 1 { names.len() - 2 } else { names.len() - 1 }], number)
    });
    format!("{number} {name}")
}
