//! Samples of requests in several languages, made from the description of an operation. The document has them as
//! `x-codeSamples`, which Redoc, Scalar and others show, too.
//!
//! A sample can be pasted and run: it has the address of this server, takes credentials from the environment, and streams
//! files. Tests run the samples.

mod call;
mod curl;
mod javascript;
mod python;

use serde_json::{Value, json};

use call::Call;

/// The samples of an operation, as the value of `x-codeSamples`.
pub fn of(server: &str, path: &str, method: &str, operation: &Value) -> Value {
    let call = Call::of(server, path, method, operation);
    json!([
        { "lang": "Shell", "label": "curl", "source": curl::sample(&call) },
        { "lang": "Python", "label": "Python", "source": python::sample(&call) },
        { "lang": "JavaScript", "label": "JavaScript", "source": javascript::sample(&call) },
    ])
}

/// A text as a literal of Python and JavaScript.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
