//! `/docs/search`: the results as a page, for browsers without the script and for a search that is sent with Enter.

use std::fmt::Write as _;

use super::{Query, excerpt};
use crate::http::docs::html::escape;
use crate::http::docs::layout::{self, Page};
use crate::http::docs::site::Documentation;

/// The page for a query.
pub fn page(site: &Documentation, query: &Query) -> String {
    let found = site.search.find(query);
    let mut main = "<h1>Search</h1>".to_owned();
    let shown = escape(&query.text);
    let _ = match (query.text.as_str(), found.len()) {
        ("", _) => write!(
            main,
            "<p class=\"lead\">Search the guides, the operations, the settings and the error codes: a status \
             (<a href=\"/docs/search?q=413\">413</a>), a header (<a href=\"/docs/search?q=X-Filename\">X-Filename</a>), \
             a setting (<a href=\"/docs/search?q=BACKUP_LEASE\">BACKUP_LEASE</a>), or words \
             (<a href=\"/docs/search?q=rate+limit\">rate limit</a>).</p>"
        ),
        (_, 0) => write!(
            main,
            "<p class=\"lead\">Nothing was found for <b>{shown}</b>.</p><p>Try one word, or its beginning. \
             The <a href=\"/docs\">overview</a> lists all pages.</p>"
        ),
        (_, 1) => write!(main, "<p class=\"lead\">1 result for <b>{shown}</b></p>"),
        (_, count) => write!(main, "<p class=\"lead\">{count} results for <b>{shown}</b></p>"),
    };
    if !found.is_empty() {
        main.push_str("<ol class=\"results\">");
        for entry in found {
            let _ = write!(
                main,
                "<li><a href=\"{}\"><span class=\"where\">{}<span>{}</span></span><b>{}</b></a><p>{}</p></li>",
                escape(&entry.url),
                escape(entry.kind.title()),
                escape(entry.page),
                escape(&entry.title),
                marked(&entry.text, query),
            );
        }
        main.push_str("</ol>");
    }
    layout::render(
        site,
        &Page { title: "Search", name: "search", query: &query.text, main: &main, ..Page::default() },
    )
}

/// The excerpt with the found words marked.
fn marked(text: &str, query: &Query) -> String {
    let parts = excerpt::of(text, query).into_iter().enumerate();
    parts
        .map(|(index, part)| match index % 2 {
            0 => escape(&part),
            _ => format!("<mark>{}</mark>", escape(&part)),
        })
        .collect()
}
