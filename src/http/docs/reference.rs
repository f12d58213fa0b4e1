//! The reference page: every operation, rendered from the OpenAPI document.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::document::operations;
use super::layout;
use super::markdown::{escape, inline, to_html};

/// `/docs/reference`.
pub fn page(document: &Value) -> String {
    let mut main = format!("<h1>API reference</h1>{}", to_html(text(&document["info"], "description")).0);
    let mut chapters = String::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(tag, "name");
        let anchor = escape(&name.to_lowercase().replace(' ', "-"));
        let title = escape(text(tag, "x-displayName"));
        let _ = write!(chapters, "<li><a href=\"#{anchor}\">{title}</a></li>");
        let description = to_html(text(tag, "description")).0;
        let _ = write!(main, "<h2 id=\"{anchor}\">{title}</h2>{description}");
        let (mut links, mut shown) = (String::new(), String::new());
        for (path, method, operation, server) in operations(document) {
            if operation["tags"][0] == name {
                let (id, summary) = (text(operation, "operationId"), text(operation, "summary"));
                let _ = write!(links, "<li><a href=\"#{}\">{}</a></li>", escape(id), escape(summary));
                show(&mut shown, path, method, operation, server);
            }
        }
        let _ = write!(chapters, "<li><ul>{links}</ul></li>");
        main += &shown;
    }
    chapters += "<li><a href=\"#schemas\">Schemas</a></li>";
    main += "<h2 id=\"schemas\">Schemas</h2>";
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ = write!(main, "<h3 id=\"schema-{0}\">{0}</h3>", escape(name));
        main += &to_html(text(schema, "description")).0;
        properties(&mut main, schema);
    }
    layout::page("API reference", "reference", &chapters, &main)
}

fn show(main: &mut String, path: &str, method: &str, operation: &Value, server: &str) {
    let id = escape(text(operation, "operationId"));
    let _ = write!(
        main,
        "<h3 id=\"{id}\">{}</h3><p class=\"operation\"><span class=\"method {method}\">{}</span> {}{}</p>{}",
        escape(text(operation, "summary")),
        method.to_uppercase(),
        escape(server),
        escape(path),
        to_html(text(operation, "description")).0,
    );
    let _ = write!(main, "<p class=\"note\">{}</p>", escape(&credentials(operation)));
    parameters(main, operation);
    main.push_str("<h4>Answers</h4><div class=\"wide\"><table>");
    for (status, answer) in members(&operation["responses"]) {
        let class = status.get(..1).unwrap_or_default();
        let headers: Vec<String> =
            members(&answer["headers"]).map(|(name, _)| format!("<code>{}</code>", escape(name))).collect();
        let headers =
            if headers.is_empty() { String::new() } else { format!("<br>Headers: {}", headers.join(", ")) };
        let _ = write!(
            main,
            "<tr><td><span class=\"status s{class}\">{}</span></td><td>{}{headers}{}</td></tr>",
            escape(status),
            escape(text(answer, "description")),
            examples(answer),
        );
    }
    main.push_str("</table></div>");
}

fn credentials(operation: &Value) -> String {
    let schemes = operation["security"].as_array().into_iter().flatten().flat_map(members);
    let schemes: Vec<String> = schemes
        .map(|(name, scopes)| {
            let scopes: Vec<&str> =
                scopes.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            match (name.as_str(), scopes.as_slice()) {
                ("basic", _) => "Basic auth: system key and system secret".to_owned(),
                (_, []) => "Bearer token".to_owned(),
                (_, scopes) => format!("Bearer token with the scope {}", scopes.join(" or ")),
            }
        })
        .collect();
    if schemes.is_empty() { "No credentials".to_owned() } else { schemes.join(", or ") }
}

fn parameters(main: &mut String, operation: &Value) {
    let mut rows = String::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let required = if parameter["required"] == true { "required" } else { "" };
        let _ = write!(
            rows,
            "<tr><td><code>{}</code></td><td>{} {required}</td><td>{}</td></tr>",
            escape(text(parameter, "name")),
            escape(text(parameter, "in")),
            inline(text(parameter, "description")),
        );
    }
    for (media_type, _) in members(&operation["requestBody"]["content"]) {
        let _ = write!(
            rows,
            "<tr><td>body</td><td><code>{}</code></td><td>{}</td></tr>",
            escape(media_type),
            inline(text(&operation["requestBody"], "description")),
        );
    }
    if !rows.is_empty() {
        let _ = write!(main, "<h4>Request</h4><div class=\"wide\"><table>{rows}</table></div>");
    }
}

fn examples(answer: &Value) -> String {
    let mut out = String::new();
    for (media_type, content) in members(&answer["content"]) {
        let several =
            members(&content["examples"]).map(|(name, example)| (name.replace('-', " "), &example["value"]));
        for (name, value) in several.chain(content.get("example").map(|value| (media_type.clone(), value))) {
            let shown = match value {
                Value::String(text) => text.clone(),
                value => serde_json::to_string_pretty(value).unwrap_or_default(),
            };
            let _ = write!(
                out,
                "<details><summary>{}</summary><pre><code>{}</code></pre></details>",
                escape(&name),
                escape(&shown)
            );
        }
    }
    out
}

fn properties(main: &mut String, schema: &Value) {
    let mut rows = String::new();
    for (name, property) in members(&schema["properties"]) {
        let _ = write!(
            rows,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(name),
            type_of(property),
            inline(text(property, "description")),
        );
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().map(|v| format!("<code>{}</code>", escape(&v.to_string()))).collect();
        let _ = write!(main, "<p>One of {}</p>", values.join(", "));
    }
    if !rows.is_empty() {
        let _ = write!(main, "<div class=\"wide\"><table>{rows}</table></div>");
    }
}

fn type_of(property: &Value) -> String {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    match &property["type"] {
        Value::String(kind) if kind == "array" => format!("array of {}", type_of(&property["items"])),
        Value::String(kind) => escape(kind),
        Value::Array(kinds) => {
            escape(&kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "))
        }
        _ => property["oneOf"].as_array().map_or_else(String::new, |all| {
            all.iter().map(type_of).filter(|kind| !kind.is_empty()).collect::<Vec<_>>().join(" or ")
        }),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}
