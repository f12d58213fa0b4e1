//! Rows for parameters, headers and members of objects: name, type, whether it is required, description, default, limits.

use std::fmt::Write as _;

use serde_json::Value;

use super::text;
use super::types::type_of;
use crate::http::docs::html::{escape, permalink};
use crate::http::docs::markdown::inline;

/// What a row shows.
pub struct Field<'a> {
    pub name: &'a str,
    /// Where a link to the row leads.
    pub anchor: Option<String>,
    pub is_required: bool,
    pub schema: &'a Value,
    pub description: &'a str,
}

/// A list of rows.
pub fn list(rows: &str) -> String {
    format!("<ul class=\"fields\">{rows}</ul>")
}

/// A row. `nested` is HTML below the description.
pub fn field_row(field: &Field, nested: &str) -> String {
    let (id, link) = match &field.anchor {
        Some(anchor) => (format!(" id=\"{}\"", escape(anchor)), permalink(anchor, field.name)),
        None => (String::new(), String::new()),
    };
    let mut head =
        format!("<code>{}</code> <span class=\"type\">{}</span>", escape(field.name), type_of(field.schema));
    if field.is_required {
        head.push_str(" <span class=\"required\">required</span>");
    }
    format!(
        "<li{id}><p>{head}{link}</p><div>{}{}{nested}</div></li>",
        inline(field.description),
        constraints(field.schema)
    )
}

/// Default, limits, pattern, values and example of a schema.
fn constraints(schema: &Value) -> String {
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = write!(rows, "<span>{name} <code>{}</code></span>", escape(value));
    };
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        row("Default", &shown(default));
    }
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(min), Some(max)) => row("Range", &format!("{min} to {max}")),
        (Some(min), None) if min.as_i64() != Some(0) => row("At least", &min.to_string()),
        (None, Some(max)) => row("At most", &max.to_string()),
        _ => {}
    }
    if let Some(max) = schema.get("maxLength") {
        row("Longest", &format!("{max} characters"));
    }
    if !text(schema, "pattern").is_empty() {
        row("Pattern", text(schema, "pattern"));
    }
    if let Some(example) = schema.get("example").filter(|example| !example.is_object() && !example.is_array())
    {
        row("Example", &shown(example));
    }
    let values: Vec<String> =
        schema["enum"].as_array().into_iter().flatten().filter(|value| !value.is_null()).map(shown).collect();
    if !values.is_empty() {
        let values: Vec<String> =
            values.iter().map(|value| format!("<code>{}</code>", escape(value))).collect();
        let _ = write!(
            rows,
            "<span>{} {}</span>",
            if values.len() == 1 { "Always" } else { "One of" },
            values.join(" ")
        );
    }
    if rows.is_empty() { rows } else { format!("<p class=\"constraints\">{rows}</p>") }
}
