//! The body of a request as JSON. A body that is not exactly what the operation takes is refused, and the error names the
//! member: a misspelt member must not be lost.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::web::Payload;
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Map, Value};

use crate::http::errors::ApiError;

/// The longest body in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// How long the body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most characters of a member's name that an error repeats.
const MAX_NAME: usize = 64;

/// Reads the body as a JSON object. `T` refuses unknown members (`serde(deny_unknown_fields)`).
///
/// This is a function and no extractor, so that a handler reads the body only after the caller is known.
///
/// # Errors
/// 400 with the name of the member that is wrong, or `body`; 408 if the body does not arrive.
pub async fn read<T: DeserializeOwned>(payload: Payload) -> Result<T, ApiError> {
    parse(&receive(payload).await?)
}

/// The same for a body that may be left out.
pub async fn read_or_default<T: DeserializeOwned + Default>(payload: Payload) -> Result<T, ApiError> {
    let body = receive(payload).await?;
    if body.is_empty() { Ok(T::default()) } else { parse(&body) }
}

async fn receive(mut payload: Payload) -> Result<Vec<u8>, ApiError> {
    let body = tokio::time::timeout(TIMEOUT, async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| ApiError::field("body", "incomplete", ""))?;
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(ApiError::field("body", "must be at most 64 KiB", ""));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    });
    body.await.map_err(|_| ApiError::Timeout)?
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde also reads a struct from an array.
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Err(ApiError::field("body", "must be a JSON object", ""));
    };
    let error = match serde_json::from_slice(body) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    for (name, value) in members {
        let alone = Value::Object(Map::from_iter([(name.clone(), value)]));
        match serde_json::from_value::<T>(alone).map_err(|error| error.to_string()) {
            Err(text) if !text.starts_with(MISSING) => return Err(invalid_member(&name, &text)),
            _ => {}
        }
    }
    // Each member is right by itself.
    let text = error.to_string();
    let name = text.split('`').nth(1).unwrap_or("body").to_owned();
    let message = if text.starts_with(MISSING) { "required" } else { "must be there only once" };
    Err(ApiError::invalid(name, message))
}

/// How serde's error begins if a member is missing.
const MISSING: &str = "missing field";

/// The error about a member. serde's text repeats the value, which may be an id: only the part that says what was expected
/// is used.
fn invalid_member(name: &str, text: &str) -> ApiError {
    let name: String = name.chars().take(MAX_NAME).collect();
    if text.starts_with("unknown field") {
        return ApiError::invalid(name, "unknown");
    }
    let message: Cow<'static, str> = match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {}", described(expected)).into(),
        None => text.to_owned().into(),
    };
    ApiError::invalid(name, message)
}

/// Returns what serde expected, in terms of JSON.
fn described(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "usize" => "a whole number that is not negative",
        "i64" | "i32" => "a whole number",
        "a boolean" => "true or false",
        other => other,
    }
}

/// A member that may be left out, be `null`, or have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Given<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// Reads a member that may be left out, and not be `null` (`serde(default, deserialize_with)`).
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Change {
        name: Option<String>,
        parent_id: Given<String>,
        seconds: Given<u64>,
        #[serde(deserialize_with = "not_null")]
        suspended: Option<bool>,
    }

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct New {
        name: String,
        seconds: Option<u64>,
    }

    fn error_of<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (String, String, String) {
        match parse::<T>(body.as_bytes()) {
            Err(ApiError::Validation(error)) => {
                (error.key.into_owned(), error.message.into_owned(), error.value)
            }
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn member_is_absent_null_or_has_a_value() {
        assert_eq!(parse::<Change>(b"{}").unwrap(), Change::default());
        let change = parse::<Change>(br#" {"name": "x", "parent_id": null, "seconds": 7} "#).unwrap();
        let expected = Change {
            name: Some("x".to_owned()),
            parent_id: Given::Null,
            seconds: Given::Value(7),
            suspended: None,
        };
        assert_eq!(change, expected);
    }

    #[test]
    fn error_names_the_member_and_does_not_repeat_the_value() {
        for (body, key, message) in [
            (r#"{"nmae": "secret"}"#, "nmae", "unknown"),
            (r#"{"name": "ok", "Parent_id": "secret"}"#, "Parent_id", "unknown"),
            (r#"{"name": 7}"#, "name", "must be a string"),
            (r#"{"name": ["secret"]}"#, "name", "must be a string"),
            (r#"{"seconds": "secret"}"#, "seconds", "must be a whole number that is not negative"),
            (r#"{"seconds": -1}"#, "seconds", "must be a whole number that is not negative"),
            (r#"{"seconds": 1.5}"#, "seconds", "must be a whole number that is not negative"),
            (r#"{"seconds": 1e300}"#, "seconds", "must be a whole number that is not negative"),
            (r#"{"suspended": "secret"}"#, "suspended", "must be true or false"),
            (r#"{"suspended": null}"#, "suspended", "must be true or false"),
            (r#"{"name": "a", "name": "b"}"#, "name", "must be there only once"),
            (r#"{"name": "secret", expected "}"#, "body", "must be a JSON object"),
            (r#"{"name": "secret"} x"#, "body", "must be a JSON object"),
            ("[]", "body", "must be a JSON object"),
            (r#"["secret", null, 7, true]"#, "body", "must be a JSON object"),
            ("null", "body", "must be a JSON object"),
            ("", "body", "must be a JSON object"),
            ("\u{feff}{}", "body", "must be a JSON object"),
        ] {
            let expected = (key.to_owned(), message.to_owned(), String::new());
            assert_eq!(error_of::<Change>(body), expected, "{body}");
        }
        let long = "x".repeat(1000);
        assert_eq!(error_of::<Change>(&format!(r#"{{"{long}": 1}}"#)).0.len(), MAX_NAME);
    }

    #[test]
    fn missing_member_is_named_and_other_errors_come_first() {
        assert_eq!(error_of::<New>("{}"), ("name".into(), "required".into(), String::new()));
        assert_eq!(error_of::<New>(r#"{"seconds": 1}"#).0, "name");
        assert_eq!(error_of::<New>(r#"{"seconds": "x"}"#).0, "seconds");
        assert_eq!(error_of::<New>(r#"{"other": 1}"#), ("other".into(), "unknown".into(), String::new()));
        assert_eq!(error_of::<New>(r#"["x", 1]"#).0, "body");
        assert_eq!(error_of::<New>(r#"{"name": null}"#).1, "must be a string");
        let new = parse::<New>(br#"{"name": "x"}"#).unwrap();
        assert_eq!(new, New { name: "x".to_owned(), seconds: None });
    }
}
