//! Samples for Python, with `requests`.

use std::fmt::Write as _;

use super::call::{Call, Credential, FILE, Receives};
use super::quoted;

/// A script that streams, prints an answer, and fails with a status from 400 on.
pub fn sample(call: &Call) -> String {
    let environment = if call.credential == Credential::None { "" } else { "import os\n\n" };
    let mut out = format!("{environment}import requests\n\n");
    let request = request(call);
    match (call.sends_file, call.receives) {
        (true, _) => {
            let indented = request.replace('\n', "\n    ");
            let _ = writeln!(out, "with open(\"{FILE}\", \"rb\") as file:\n    response = {indented}");
            out += "response.raise_for_status()\nprint(response.json())\n";
        }
        (false, Receives::File) => {
            let _ = writeln!(out, "with {request} as response:\n    response.raise_for_status()");
            let _ = writeln!(out, "    with open(\"{FILE}\", \"wb\") as file:");
            out += "        for chunk in response.iter_content(1 << 20):\n            file.write(chunk)\n";
        }
        (false, receives) => {
            let body = if receives == Receives::Json { "json()" } else { "text" };
            let _ =
                writeln!(out, "response = {request}\nresponse.raise_for_status()\nprint(response.{body})");
        }
    }
    out
}

/// The call of the library.
fn request(call: &Call) -> String {
    let mut arguments = vec![quoted(&call.url)];
    let mut headers: Vec<String> =
        call.headers.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
    match call.credential {
        Credential::None => {}
        Credential::Basic => arguments.push("auth=(os.environ[\"KEY\"], os.environ[\"SECRET\"])".to_owned()),
        Credential::Bearer => {
            headers.insert(0, "\"Authorization\": f\"Bearer {os.environ['TOKEN']}\"".to_owned());
        }
    }
    match headers.as_slice() {
        [] => {}
        [one] => arguments.push(format!("headers={{{one}}}")),
        several => {
            let lines = several.join(",\n        ");
            arguments.push(format!("headers={{\n        {lines},\n    }}"));
        }
    }
    if call.sends_file {
        arguments.push("data=file".to_owned());
    }
    if let Some(json) = &call.json {
        arguments.push(format!("data={}", quoted(&json.to_string())));
    }
    if call.receives == Receives::File {
        arguments.push("stream=True".to_owned());
    }
    arguments.push("timeout=60".to_owned());
    format!("requests.{}(\n    {},\n)", call.method.to_lowercase(), arguments.join(",\n    "))
}
