//! What can be found: made from the same sources as the pages.

use serde_json::Value;

use crate::http::base_urls::BaseUrls;
use crate::http::docs::contents::{ERROR_CODE_LIST, Guide, REFERENCE, SETTINGS};
use crate::http::docs::document::{self, operations};
use crate::http::docs::markdown::{Section, sections};
use crate::http::docs::reference::{members, text};
use crate::http::errors::gateway_codes::{ERROR_CODES, ErrorCode};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Guide,
    Setting,
    Operation,
    Schema,
    ErrorCode,
}

impl Kind {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Guide => "Guide",
            Self::Setting => "Setting",
            Self::Operation => "Operation",
            Self::Schema => "Schema",
            Self::ErrorCode => "Error code",
        }
    }
}

/// A place in the documentation.
pub struct Entry {
    pub kind: Kind,
    /// The title of the page.
    pub page: &'static str,
    /// The heading on the page.
    pub title: String,
    pub url: String,
    /// What an excerpt is taken from.
    pub text: String,
    /// In lower case, for the ranking.
    pub folded_title: String,
    /// In lower case: names that identify the place.
    pub names: String,
    /// In lower case: all text.
    pub folded_text: String,
}

impl Entry {
    /// `names`: what identifies the place beside its title.
    fn new(kind: Kind, page: &'static str, title: &str, url: String, (names, text): (&str, &str)) -> Self {
        Self {
            kind,
            page,
            title: title.to_owned(),
            url,
            text: text.to_owned(),
            folded_title: title.to_ascii_lowercase(),
            names: names.to_ascii_lowercase(),
            folded_text: text.to_ascii_lowercase(),
        }
    }
}

/// All entries.
pub fn all(guides: &[Guide]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = guides.iter().flat_map(of_guide).collect();
    // Links into the reference don't depend on the servers.
    let servers = BaseUrls { collect: String::new(), management: String::new() };
    let document = document::json(&servers);
    entries.extend(
        operations(&document).map(|(path, method, operation, _)| of_operation(path, method, operation)),
    );
    entries.extend(members(&document["components"]["schemas"]).map(|(name, schema)| of_schema(name, schema)));
    entries.extend(ERROR_CODES.iter().map(of_error_code));
    entries
}

fn of_guide(guide: &Guide) -> Vec<Entry> {
    let name = guide.entry.name;
    let entry = |(index, section): (usize, Section)| {
        let is_setting = name == SETTINGS.name
            && section.title.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit());
        let kind = if is_setting { Kind::Setting } else { Kind::Guide };
        // The first heading is the page's title.
        let anchor = if index == 0 { String::new() } else { format!("#{}", section.anchor) };
        let names = if index == 0 { name } else { "" };
        let url = format!("/docs/{name}{anchor}");
        Entry::new(kind, guide.entry.title, &section.title, url, (names, &section.text))
    };
    sections(&guide.markdown).into_iter().enumerate().map(entry).collect()
}

fn of_operation(path: &str, method: &str, operation: &Value) -> Entry {
    let id = text(operation, "operationId");
    let mut names = format!("{} {path} {id}", method.to_uppercase());
    let mut shown =
        vec![format!("{} {path}", method.to_uppercase()), one_line(text(operation, "description"))];
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        names.extend([" ", text(parameter, "name")]);
        shown.push(format!("{}: {}", text(parameter, "name"), one_line(text(parameter, "description"))));
    }
    for (status, answer) in members(&operation["responses"]) {
        let headers: Vec<&str> = members(&answer["headers"]).map(|(header, _)| header.as_str()).collect();
        let description = one_line(text(answer, "description"));
        shown.push(format!("{status} {description} {}", headers.join(" ")).trim_end().to_owned());
    }
    let shown = shown.join(" \u{b7} ");
    let url = format!("/docs/{}#{id}", REFERENCE.name);
    Entry::new(Kind::Operation, REFERENCE.title, text(operation, "summary"), url, (&names, &shown))
}

fn of_schema(name: &str, schema: &Value) -> Entry {
    let mut shown = one_line(text(schema, "description"));
    let fields: Vec<String> = members(&schema["properties"])
        .map(|(field, property)| format!("{field}: {}", one_line(text(property, "description"))))
        .collect();
    shown.extend([" ", &fields.join(" \u{b7} ")]);
    let url = format!("/docs/{}#schema-{name}", REFERENCE.name);
    Entry::new(Kind::Schema, REFERENCE.title, name, url, ("", shown.trim()))
}

fn of_error_code(error: &ErrorCode) -> Entry {
    let shown =
        format!("{} \u{b7} {} \u{b7} {}", error.code, error.status, error.explanation.replace('`', ""));
    let url = format!("/docs/errors/{}", error.code);
    let names = format!("{} {}", error.code, error.status);
    Entry::new(Kind::ErrorCode, ERROR_CODE_LIST.title, error.title, url, (&names, &shown))
}

/// Markdown as one line without the marks of code.
fn one_line(markdown: &str) -> String {
    markdown.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}
