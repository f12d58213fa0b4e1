//! Samples for JavaScript, with the `fetch` of Node.js (18 or newer) and of browsers.

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
    out += &format!("const response = await fetch({}{options});\n", quoted(&call.url));
    out += "if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);\n";
    // Without `stringify`, Node.js abbreviates what is nested.
    out += &match call.receives {
        Receives::Json => "console.log(JSON.stringify(await response.json(), null, 2));\n".to_owned(),
        Receives::Text => "console.log(await response.text());\n".to_owned(),
        Receives::File => format!("await writeFile(\"{FILE}\", response.body);\n"),
    };
    out
}

/// The members of the second argument of `fetch`, one on each line.
fn options(call: &Call) -> String {
    let mut out = String::new();
    if call.method != "GET" {
        out += &format!("  method: \"{}\",\n", call.method);
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
        [one] => out += &format!("  headers: {{ {one} }},\n"),
        several => {
            out += &format!("  headers: {{\n    {},\n  }},\n", several.join(",\n    "));
        }
    }
    if call.sends_file {
        out += &format!("  body: createReadStream(\"{FILE}\"),\n  duplex: \"half\",\n");
    }
    out
}
