//! The codes of the gateway API's errors, and a page for each: where their `doc_url` leads.

use std::fmt::Write as _;

use super::guides::ERRORS;
use super::markdown::{escape, to_html};
use super::page;

/// One `code` of an error.
pub struct ErrorCode {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// What it means and what to do about it, as Markdown.
    pub explanation: &'static str,
}

/// All of them.
pub const CODES: &[ErrorCode] = &[];

/// `/docs/errors/{code}`.
pub fn page(code: &str) -> Option<String> {
    let error = CODES.iter().find(|error| error.code == code)?;
    let (explanation, _) = to_html(error.explanation);
    let main = format!(
        "<h1>{}</h1><p><code>{}</code>, with status <span class=\"status s{}\">{}</span></p>{explanation}\
         <p><a href=\"/docs/errors\">All error codes</a></p>",
        escape(error.title),
        escape(error.code),
        error.status / 100,
        error.status,
    );
    Some(page::wrap(error.title, ERRORS.0, "", &main))
}

/// `/docs/errors`.
pub fn index() -> String {
    let mut rows = String::new();
    for error in CODES {
        let _ = write!(
            rows,
            "<tr><td><a href=\"/docs/errors/{code}\"><code>{code}</code></a></td>\
             <td><span class=\"status s{}\">{}</span></td><td>{}</td></tr>",
            error.status / 100,
            error.status,
            escape(error.title),
            code = escape(error.code),
        );
    }
    let main = format!(
        "<h1>{}</h1><p>{}</p><div class=\"wide\"><table><tr><th>code</th><th>status</th><th>means</th></tr>{rows}\
         </table></div>",
        ERRORS.1, ERRORS.2
    );
    page::wrap(ERRORS.1, ERRORS.0, "", &main)
}

/// The same as Markdown, with all explanations.
pub fn markdown() -> String {
    let mut out = format!("# {}\n\n{}\n", ERRORS.1, ERRORS.2);
    for error in CODES {
        let _ = write!(
            out,
            "\n## {}\n\n`{}`, with status {}.\n\n{}\n",
            error.title, error.code, error.status, error.explanation
        );
    }
    out
}
