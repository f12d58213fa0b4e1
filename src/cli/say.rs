//! Lines for people on stderr.

use std::io::Write as _;

/// Prints a line to stderr. A reader that has closed stderr is not a failure (`eprintln!` would panic).
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "strongroom: {line}");
}
