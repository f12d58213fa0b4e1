//! The list of the gateway API's error codes as Markdown.

use std::fmt::Write as _;

use super::contents::ERROR_CODE_LIST;
use crate::http::errors::gateway_codes::ERROR_CODES;

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
