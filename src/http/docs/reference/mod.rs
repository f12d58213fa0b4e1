//! The reference page: every operation, rendered from the OpenAPI document. On a wide screen the examples stand beside the
//! descriptions.

mod answers;
mod fields;
mod json;
mod operation;
mod samples;
mod schema;
mod types;

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::contents::{Entry, REFERENCE};
use super::document::operations;
use super::guide_pages::neighbours;
use super::html::{escape, permalink};
use super::layout::{self, Page, Width};
use super::markdown::to_html;
use super::site::Documentation;

/// An operation of the document.
#[derive(Clone, Copy)]
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    server: &'a str,
    value: &'a Value,
}

impl<'a> Operation<'a> {
    fn id(&self) -> &'a str {
        text(self.value, "operationId")
    }

    fn summary(&self) -> &'a str {
        text(self.value, "summary")
    }
}

/// `/docs/reference`.
pub fn page(site: &Documentation, document: &Value) -> String {
    let Entry { name, title, summary } = REFERENCE;
    let mut main = format!(
        "<div class=\"intro prose\"><p class=\"eyebrow\">Reference</p><h1>{title}</h1>{}</div>",
        to_html(text(&document["info"], "description")).0
    );
    let mut chapters = "<ul class=\"chapters\">".to_owned();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(tag, "name");
        let group: Vec<Operation> = operations(document)
            .filter(|(_, _, operation, _)| operation["tags"][0] == name)
            .map(|(path, method, value, server)| Operation { path, method, server, value })
            .collect();
        show_group(&mut main, &mut chapters, document, tag, &group);
    }
    chapters += "<li><a href=\"#schemas\">Schemas</a></li></ul>";
    schema::show_all(&mut main, document);
    let (before, after) = neighbours(site, name);
    main += &layout::neighbours(before, after);
    let page = Page {
        title,
        name,
        summary,
        chapters: &chapters,
        width: Width::Full,
        main: &main,
        ..Page::default()
    };
    layout::render(site, &page)
}

/// Shows the operations of a tag: a table of all, and then each.
fn show_group(main: &mut String, chapters: &mut String, document: &Value, tag: &Value, group: &[Operation]) {
    let name = text(tag, "name");
    let title = tag["x-displayName"].as_str().unwrap_or(name);
    let anchor = name.to_lowercase().replace(' ', "-");
    let _ = write!(chapters, "<li><a href=\"#{}\">{}</a><ul>", escape(&anchor), escape(title));
    let mut rows = String::new();
    for operation in group {
        let (id, summary) = (escape(operation.id()), escape(operation.summary()));
        let _ = write!(chapters, "<li><a href=\"#{id}\">{summary}</a></li>");
        let _ = write!(
            rows,
            "<tr><td>{}</td><td><a href=\"#{id}\">{}</a></td><td>{summary}</td></tr>",
            method_badge(operation.method),
            path_html(operation.path),
        );
    }
    chapters.push_str("</ul></li>");
    let _ = write!(
        main,
        "<section class=\"group\"><div class=\"prose\"><h2 id=\"{}\">{}{}</h2>{}</div><div class=\"wide\">\
         <table class=\"operations\"><thead class=\"hidden\"><tr><th>Method</th><th>Path</th><th>Operation</th></tr></thead>\
         <tbody>{rows}</tbody></table></div></section>",
        escape(&anchor),
        escape(title),
        permalink(&anchor, title),
        to_html(text(tag, "description")).0,
    );
    for one in group {
        operation::show(main, document, *one);
    }
}

fn method_badge(method: &str) -> String {
    format!("<span class=\"method {0}\">{1}</span>", escape(method), escape(&method.to_uppercase()))
}

/// A path that may break after each slash, with its parameters marked.
fn path_html(path: &str) -> String {
    let path = escape(path).replace('/', "/<wbr>").replace('{', "<var>{").replace('}', "}</var>");
    format!("<code class=\"path\">{path}</code>")
}

/// The members of an object; none of another value.
pub fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// A text member of an object; empty if there is none.
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}
