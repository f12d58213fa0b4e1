//! The pages of the gateway API's error codes. The `doc_url` of an error leads to one of them.

use std::fmt::Write as _;

use super::contents::{ERROR_CODE_LIST, Entry};
use super::guide_pages::neighbours;
use super::html::{escape, status_badge};
use super::layout::{self, Page};
use super::markdown::to_html;
use super::site::Documentation;
use crate::http::errors::gateway_codes::ERROR_CODES;

/// `/docs/errors/{code}`.
pub fn page(site: &Documentation, code: &str) -> Option<String> {
    let error = ERROR_CODES.iter().find(|error| error.code == code)?;
    let (explanation, _) = to_html(error.explanation);
    let main = format!(
        "<p class=\"eyebrow\"><a href=\"/docs/errors\">Error codes</a></p><article class=\"prose\"><h1>{title}</h1>\
         <dl class=\"facts\"><div><dt>Code</dt><dd><code>{code}</code></dd></div>\
         <div><dt>Status</dt><dd>{status}</dd></div><div><dt>Type</dt><dd><code>{kind}</code></dd></div></dl>\
         {explanation}</article><p class=\"source\"><a href=\"/docs/errors\">All error codes</a> \
         <a href=\"/docs/limits#when-to-send-again\">When to send again</a></p>",
        title = escape(error.title),
        code = escape(error.code),
        status = status_badge(&error.status.to_string()),
        kind = escape(error.kind),
    );
    let page = Page { title: error.title, name: ERROR_CODE_LIST.name, main: &main, ..Page::default() };
    Some(layout::render(site, &page))
}

/// `/docs/errors`.
pub fn list(site: &Documentation) -> String {
    let Entry { name, title, summary } = ERROR_CODE_LIST;
    let mut rows = String::new();
    for error in ERROR_CODES {
        let _ = write!(
            rows,
            "<tr><td><a href=\"/docs/errors/{code}\"><code>{code}</code></a></td><td>{}</td><td>{}</td></tr>",
            status_badge(&error.status.to_string()),
            escape(error.title),
            code = escape(error.code),
        );
    }
    let (before, after) = neighbours(site, name);
    let main = format!(
        "<p class=\"eyebrow\">Reference</p><article class=\"prose\"><h1>{title}</h1><p>{summary} \
         Errors under <code>/api</code> have no such code: <a href=\"/docs/limits#what-an-answer-looks-like\">What an answer looks \
         like</a>.</p><div class=\"wide\">\
         <table><thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead><tbody>{rows}</tbody></table></div>\
         </article><p class=\"source\"><a href=\"/docs/{name}.md\">This page as Markdown</a></p>{}",
        layout::neighbours(before, after),
    );
    layout::render(site, &Page { title, name, summary, main: &main, ..Page::default() })
}
