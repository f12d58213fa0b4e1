//! What a sample sends and receives.

use serde_json::{Map, Value};

/// A request, and what comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// In capitals.
    pub method: String,
    pub url: String,
    pub credential: Credential,
    /// Headers, without the one of the credential.
    pub headers: Vec<(String, String)>,
    pub sends_file: bool,
    /// The JSON in the body.
    pub json: Option<Value>,
    pub receives: Receives,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    None,
    /// `$KEY` and `$SECRET`.
    Basic,
    /// `$TOKEN`.
    Bearer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receives {
    Json,
    /// The bytes of a backup, which go to a file.
    File,
    Text,
}

/// The file that samples upload and download.
pub const FILE: &str = "backup-2026-04-12.tar.gz.gpg";

impl Call {
    /// The request of an operation with the examples of its parameters. Optional parameters are left out, except for headers
    /// that describe a body.
    pub fn of(server: &str, path: &str, method: &str, operation: &Value) -> Self {
        let body = members(&operation["requestBody"]["content"]).next();
        let media_type = body.map(|(name, _)| name.clone());
        let json = body.and_then(|(_, content)| content.get("example")).cloned();
        let mut headers: Vec<_> =
            media_type.iter().map(|kind| ("Content-Type".to_owned(), kind.clone())).collect();
        let (mut path, mut query) = (path.to_owned(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let Some(example) = example(parameter) else { continue };
            match parameter["in"].as_str() {
                Some("path") => path = path.replace(&format!("{{{name}}}"), &example),
                Some("query") if parameter["required"] == true => query.push(format!("{name}={example}")),
                Some("header") if media_type.is_some() => headers.push((name.to_owned(), example)),
                _ => {}
            }
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        Self {
            method: method.to_uppercase(),
            url: format!("{server}{path}{query}"),
            credential: credential(operation),
            headers,
            sends_file: media_type.is_some() && json.is_none(),
            json,
            receives: receives(operation),
        }
    }
}

fn example(parameter: &Value) -> Option<String> {
    match parameter.get("example").or_else(|| parameter["schema"].get("example"))? {
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

/// The first of the alternatives.
fn credential(operation: &Value) -> Credential {
    match members(&operation["security"][0]).next().map(|(scheme, _)| scheme.as_str()) {
        Some("basic") => Credential::Basic,
        Some("bearer") => Credential::Bearer,
        _ => Credential::None,
    }
}

fn receives(operation: &Value) -> Receives {
    let success = members(&operation["responses"]).find(|(status, _)| status.starts_with('2'));
    let content = success.map_or(&Value::Null, |(_, response)| &response["content"]);
    if content.get("application/json").is_some() {
        Receives::Json
    } else if content.get("application/octet-stream").is_some() {
        Receives::File
    } else {
        Receives::Text
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
