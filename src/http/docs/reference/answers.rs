//! The answers of an operation: what each status means, its headers and its body; and an example of each.

use std::fmt::Write as _;

use serde_json::Value;

use super::fields::{Field, field_row, list};
use super::{Operation, json, members, schema, text, types};
use crate::http::docs::highlight::highlight;
use crate::http::docs::html::{escape, permalink, status_badge};
use crate::http::docs::markdown::inline;

/// Shows the answers, one row for each status.
pub fn show(main: &mut String, document: &Value, operation: Operation) {
    main.push_str("<h4>Answers</h4><ul class=\"answers\">");
    for (status, answer) in members(&operation.value["responses"]) {
        let anchor = format!("{}.{status}", operation.id());
        let _ = write!(
            main,
            "<li id=\"{}\"><div class=\"head\">{}<p>{}{}</p>{}</div>",
            escape(&anchor),
            status_badge(status),
            inline(text(answer, "description")),
            error_codes(answer),
            permalink(&anchor, &format!("the answer {status}")),
        );
        let details = details(document, status, answer);
        if !details.is_empty() {
            let _ = write!(main, "<details><summary>Headers and body</summary>{details}</details>");
        }
        main.push_str("</li>");
    }
    main.push_str("</ul>");
}

/// The headers of an answer, and the type of its body. Only a success shows the members of the body: those of errors are in
/// the list of schemas.
fn details(document: &Value, status: &str, answer: &Value) -> String {
    let mut out = String::new();
    let headers: String = members(&answer["headers"])
        .map(|(name, header)| {
            let mut schema = header["schema"].clone();
            schema["example"] = header["example"].clone();
            let description = text(header, "description");
            field_row(&Field { name, anchor: None, is_required: false, schema: &schema, description }, "")
        })
        .collect();
    if !headers.is_empty() {
        let _ = write!(out, "<h5>Headers</h5>{}", list(&headers));
    }
    for (media_type, content) in members(&answer["content"]) {
        let kind = types::type_of(&content["schema"]);
        let _ = write!(
            out,
            "<h5>Body</h5><p class=\"body\"><code>{}</code> <span class=\"type\">{kind}</span></p>",
            escape(media_type)
        );
        if status.starts_with('2') {
            out += &schema::nested(document, &content["schema"], 0);
        }
    }
    out
}

/// Links to the pages of the error codes in the examples of an answer.
fn error_codes(answer: &Value) -> String {
    let mut codes: Vec<&str> = examples(answer)
        .filter(|example| example.value["doc_url"].is_string())
        .filter_map(|example| example.value["code"].as_str())
        .collect();
    codes.dedup();
    let link = |code: &&str| format!(" <a href=\"/docs/errors/{0}\"><code>{0}</code></a>", escape(code));
    codes.iter().map(link).collect()
}

/// Shows an example of each answer, the first of them open.
pub fn show_examples(main: &mut String, document: &Value, operation: Operation) {
    let mut rows = String::new();
    for (status, answer) in members(&operation.value["responses"]) {
        let shown: Vec<Example> = examples(answer).collect();
        if shown.is_empty() {
            continue;
        }
        let open = if rows.is_empty() { " open" } else { "" };
        let _ = write!(
            rows,
            "<details name=\"answers-{}\"{open}><summary>{}<span>{}</span></summary>",
            escape(operation.id()),
            status_badge(status),
            escape(reason(status)),
        );
        for example in &shown {
            if shown.len() > 1 {
                let _ = write!(rows, "<p class=\"caption\">{}</p>", escape(&example.name));
            }
            let _ =
                write!(rows, "<div class=\"code\"><pre><code>{}</code></pre></div>", example.html(document));
        }
        rows.push_str("</details>");
    }
    if !rows.is_empty() {
        let _ = write!(main, "<div class=\"card responses\"><p class=\"label\">Answers</p>{rows}</div>");
    }
}

struct Example<'a> {
    name: String,
    schema: &'a Value,
    value: &'a Value,
}

impl Example<'_> {
    fn html(&self, document: &Value) -> String {
        match self.value {
            Value::String(text) => highlight("", text),
            value => highlight("json", &json::pretty(document, self.schema, value)),
        }
    }
}

/// The examples of an answer.
fn examples(answer: &Value) -> impl Iterator<Item = Example<'_>> {
    members(&answer["content"]).flat_map(|(media_type, content)| {
        let schema = &content["schema"];
        let several = members(&content["examples"]).map(|(name, example)| {
            let summary = example["summary"].as_str().map(str::to_owned);
            (summary.unwrap_or_else(|| name.replace('-', " ")), &example["value"])
        });
        let one = content.get("example").map(|value| (media_type.clone(), value));
        several.chain(one).map(move |(name, value)| Example { name, schema, value })
    })
}

/// The standard's words for a status.
fn reason(status: &str) -> &'static str {
    let status = actix_web::http::StatusCode::from_bytes(status.as_bytes()).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or_default()
}
