//! Schemas: the members of a value, and the list of all named schemas.

use std::fmt::Write as _;

use serde_json::Value;

use super::fields::{Field, field_row, list};
use super::types::{objects, type_of};
use super::{members, text};
use crate::http::docs::html::{escape, permalink};
use crate::http::docs::markdown::to_html;

/// How deep members are shown inside members. Deeper ones are behind the link to their schema.
const MAX_DEPTH: usize = 3;

/// The members of a schema's objects, behind a summary that opens them. Empty if there are none.
pub fn nested(document: &Value, schema: &Value, depth: usize) -> String {
    if depth >= MAX_DEPTH {
        return String::new();
    }
    let mut out = String::new();
    for (name, object) in objects(document, schema) {
        let rows = rows(document, object, None, depth);
        if rows.is_empty() {
            continue;
        }
        let open = if depth == 0 { " open" } else { "" };
        let title = name.map_or_else(|| "Members".to_owned(), |name| format!("Members of {}", escape(name)));
        let _ = write!(
            out,
            "<details class=\"nested\"{open}><summary>{title}</summary>{}</details>",
            list(&rows)
        );
    }
    out
}

/// The rows of an object's members.
fn rows(document: &Value, object: &Value, anchors: Option<&str>, depth: usize) -> String {
    let required: Vec<&str> =
        object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let place = |name: &str| required.iter().position(|required| *required == name).unwrap_or(usize::MAX);
    let mut properties: Vec<_> = members(&object["properties"]).collect();
    properties.sort_by_key(|(name, _)| place(name));
    properties
        .into_iter()
        .map(|(name, property)| {
            let field = Field {
                name,
                anchor: anchors.map(|prefix| format!("{prefix}.{name}")),
                is_required: required.contains(&name.as_str()),
                schema: property,
                description: text(property, "description"),
            };
            field_row(&field, &nested(document, property, depth + 1))
        })
        .collect()
}

/// Shows all named schemas.
pub fn show_all(main: &mut String, document: &Value) {
    let _ = write!(
        main,
        "<section class=\"schemas\"><div class=\"prose\"><h2 id=\"schemas\">Schemas{}</h2><p>The objects in the bodies of \
         answers.</p></div>",
        permalink("schemas", "Schemas")
    );
    for (name, schema) in members(&document["components"]["schemas"]) {
        let anchor = format!("schema-{name}");
        let _ = write!(
            main,
            "<div class=\"schema\"><h3 id=\"{}\"><code>{}</code>{}</h3><div class=\"prose\">{}</div>",
            escape(&anchor),
            escape(name),
            permalink(&anchor, name),
            to_html(text(schema, "description")).0,
        );
        let mut rows = rows(document, schema, Some(&anchor), MAX_DEPTH);
        for part in
            ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|part| schema[part].as_array()).flatten()
        {
            let of_part = self::rows(document, part, None, MAX_DEPTH);
            if of_part.is_empty() {
                let _ = write!(rows, "<li><p>{}</p></li>", type_of(part));
            }
            rows += &of_part;
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values
                .iter()
                .filter_map(Value::as_str)
                .map(|value| format!("<code>{}</code>", escape(value)))
                .collect();
            let _ = write!(main, "<p>One of {}</p>", values.join(", "));
        }
        if rows.is_empty() && schema["enum"].is_null() {
            main.push_str("<p class=\"none\">An object without members.</p>");
        }
        if !rows.is_empty() {
            main.push_str(&list(&rows));
        }
        main.push_str("</div>");
    }
    main.push_str("</section>");
}
