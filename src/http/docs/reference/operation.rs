//! One operation: what it does, its parameters and answers, and beside them the examples.

use std::fmt::Write as _;

use serde_json::Value;

use super::fields::{Field, field_row, list};
use super::{Operation, answers, members, method_badge, path_html, samples, schema, text};
use crate::http::docs::html::{escape, permalink};
use crate::http::docs::markdown::{inline, to_html};

pub fn show(main: &mut String, document: &Value, operation: Operation) {
    let id = operation.id();
    let _ = write!(
        main,
        "<section class=\"operation\" aria-labelledby=\"{anchor}\"><div class=\"about\"><h3 id=\"{anchor}\">{summary}{link}</h3>\
         <p class=\"endpoint\">{method}<span><span class=\"server\">{server}</span>{path}</span></p><div class=\"prose\">{description}</div>\
         <p class=\"credentials\"><b>Authentication</b> {credentials}</p>",
        anchor = escape(id),
        summary = escape(operation.summary()),
        link = permalink(id, operation.summary()),
        method = method_badge(operation.method),
        server = escape(operation.server),
        path = path_html(operation.path),
        description = to_html(text(operation.value, "description")).0,
        credentials = credentials(operation.value),
    );
    parameters(main, operation);
    body(main, document, operation);
    answers::show(main, document, operation);
    main.push_str("</div><div class=\"examples\">");
    samples::show(main, operation);
    answers::show_examples(main, document, operation);
    main.push_str("</div></section>\n");
}

fn credentials(operation: &Value) -> String {
    let schemes = operation["security"].as_array().into_iter().flatten().flat_map(members);
    let schemes: Vec<String> = schemes
        .map(|(name, scopes)| {
            let scopes: Vec<String> = scopes
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|scope| format!("<code>{}</code>", escape(scope)))
                .collect();
            match (name.as_str(), scopes.as_slice()) {
                ("basic", _) => "Basic: the system key and the system secret".to_owned(),
                (_, []) => "Bearer token".to_owned(),
                (_, scopes) => format!("Bearer token with the scope {}", scopes.join(" or ")),
            }
        })
        .collect();
    if schemes.is_empty() { "None".to_owned() } else { schemes.join(", or ") }
}

fn parameters(main: &mut String, operation: Operation) {
    for (place, title) in [
        ("path", "Path parameters"),
        ("query", "Query parameters"),
        ("header", "Request headers"),
        ("cookie", "Cookies"),
    ] {
        let all = operation.value["parameters"].as_array().into_iter().flatten();
        let rows: String = all
            .filter(|parameter| parameter["in"] == place)
            .map(|parameter| {
                let name = text(parameter, "name");
                let mut schema = parameter["schema"].clone();
                if let Some(kinds) = schema["type"].as_array_mut() {
                    // A parameter is left out, never null.
                    kinds.retain(|kind| kind != "null");
                }
                // The parameter's own example is the one to show.
                if let Some(example) = parameter.get("example") {
                    schema["example"] = example.clone();
                }
                let field = Field {
                    name,
                    anchor: Some(format!("{}.{name}", operation.id())),
                    is_required: parameter["required"] == true,
                    schema: &schema,
                    description: text(parameter, "description"),
                };
                field_row(&field, "")
            })
            .collect();
        if !rows.is_empty() {
            let _ = write!(main, "<h4>{title}</h4>{}", list(&rows));
        }
    }
}

fn body(main: &mut String, document: &Value, operation: Operation) {
    let body = &operation.value["requestBody"];
    let mut rows = String::new();
    for (media_type, content) in members(&body["content"]) {
        let required =
            if body["required"] == true { " <span class=\"required\">required</span>" } else { "" };
        let nested = schema::nested(document, &content["schema"], 0);
        let _ = write!(
            rows,
            "<li><p><code>{}</code>{required}</p><div>{}{nested}</div></li>",
            escape(media_type),
            inline(text(body, "description")),
        );
    }
    if !rows.is_empty() {
        let _ = write!(main, "<h4>Request body</h4>{}", list(&rows));
    }
}
