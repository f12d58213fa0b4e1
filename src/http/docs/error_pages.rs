//! The pages of the gateway API's error codes. The `doc_url` of an error leads to one of them.

use std::fmt::Write as _;

use super::contents::ERROR_CODE_LIST;
use super::layout;
use super::markdown::{escape, to_html};
use crate::http::errors::gateway_codes::ERROR_CODES;

/// `/docs/errors/{code}`.
pub fn page(code: &str) -> Option<String> {
    let error = ERROR_CODES.iter().find(|error| error.code == code)?;
    let (explanation, _) = to_html(error.explanation);
    let main = format!(
        "<h1>{}</h1><p><code>{}</code>, with status <span class=\"status s{}\">{}</span></p>{explanation}\
         <p><a href=\"/docs/errors\">All error codes</a></p>",
        escape(error.title),
        escape(error.code),
        error.status / 100,
        error.status,
    );
    Some(layout::page(error.title, ERROR_CODE_LIST.name, "", &main))
}

/// `/docs/errors`.
pub fn list() -> String {
    let mut rows = String::new();
    for error in ERROR_CODES {
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
        ERROR_CODE_LIST.title, ERROR_CODE_LIST.summary
    );
    layout::page(ERROR_CODE_LIST.title, ERROR_CODE_LIST.name, "", &main)
}

/// The list as Markdown, with all explanations.
pub fn markdown() -> String {
    let mut out = format!("# {}\n\n{}\n", ERROR_CODE_LIST.title, ERROR_CODE_LIST.summary);
    for error in ERROR_CODES {
        let _ = write!(
            out,
            "\n## {}\n\n`{}`, with status {}.\n\n{}\n",
            error.title, error.code, error.status, error.explanation
        );
    }
    out
}
