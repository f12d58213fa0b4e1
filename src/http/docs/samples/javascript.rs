//! Samples for JavaScript, with the `fetch` of Node.js (18 or newer) and of browsers.

use std::fmt::Write as _;

use super::call::{Call, Credential, FILE, Receives};
use super::quoted;

/// A module that streams, prints an answer, and fails with a status from 400 on.
pub fn sample(call: &Call) -> String {
    let mut out = String::new();
    if call.sends_file {
        out += "import { createReadStream } from \"node:fs\";\n\n";
    } else if call.receives == Receives::File {
        out += "import { writeFile } from \"node:fs/promises\";\n\n";
    }
    let options = options(call);
    let options = if options.is_empty() { options } else { format!(", {{\n{options}}}") };
    let _ = writeln!(out, "const response = await fetch({}{options});", quoted(&call.url));
    out += "if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);\n";
    // Without `stringify`, Node.js abbreviates what is nested.
    let print = match call.receives {
        Receives::Json => "console.log(JSON.stringify(await response.json(), null, 2));\n".to_owned(),
        Receives::Text => "console.log(await response.text());\n".to_owned(),
        Receives::File => format!("await writeFile(\"{FILE}\", response.body);\n"),
    };
    out + &print
}

/// The members of the second argument of `fetch`, one on each line.
fn options(call: &Call) -> String {
    let mut out = String::new();
    if call.method != "GET" {
        let _ = writeln!(out, "  method: \"{}\",", call.method);
    }
    let credential = match call.credential {
        Credential::None => None,
        Credential::Basic => Some("\"Basic \" + btoa(`${process.env.KEY}:${process.env.SECRET}`)"),
        Credential::Bearer => Some("`Bearer ${process.env.TOKEN}`"),
    };
    let credential = credential.map(|value| format!("Authorization: {value}"));
    let others = call.headers.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)));
    let headers: Vec<String> = credential.into_iter().chain(others).collect();
    match headers.as_slice() {
        [] => {}
        [one] => {
            let _ = writeln!(out, "  headers: {{ {one} }},");
        }
        several => {
            let _ = writeln!(out, "  headers: {{\n    {},\n  }},", several.join(",\n    "));
        }
    }
    if let Some(json) = &call.json {
        let _ = writeln!(out, "  body: JSON.stringify({json}),");
    }
    if call.sends_file {
        let _ = writeln!(out, "  body: createReadStream(\"{FILE}\"),\n  duplex: \"half\",");
    }
    out
}
