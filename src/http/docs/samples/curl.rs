//! Samples for a shell.

use std::fmt::Write as _;

use super::call::{Call, Credential, FILE, Receives};

/// A command that streams, prints an answer, and fails with a status from 400 on.
pub fn sample(call: &Call) -> String {
    // The answer to a failed download must not end up in the file.
    let fail = if call.receives == Receives::File { "--fail" } else { "--fail-with-body" };
    let mut first = format!("curl {fail}");
    if call.method != "GET" {
        let _ = write!(first, " --request {}", call.method);
    }
    let mut lines = vec![first];
    match call.credential {
        Credential::None => {}
        Credential::Basic => lines.push("--user \"$KEY:$SECRET\"".to_owned()),
        Credential::Bearer => lines.push("--header \"Authorization: Bearer $TOKEN\"".to_owned()),
    }
    for (name, value) in &call.headers {
        lines.push(format!("--header {}", literal(&format!("{name}: {value}"))));
    }
    if call.sends_file {
        lines.push(format!("--upload-file {FILE}"));
    }
    if let Some(json) = &call.json {
        lines.push(format!("--data {}", literal(&json.to_string())));
    }
    if call.receives == Receives::File {
        lines.push(format!("--output {FILE}"));
    }
    lines.push(literal(&call.url));
    lines.join(" \\\n    ") + "\n"
}

/// A text that the shell does not change.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
