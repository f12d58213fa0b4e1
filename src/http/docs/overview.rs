//! The first page, and the page for paths that don't exist.

use super::contents::{ERROR_CODE_LIST, Entry, GUIDES};
use super::layout;
use super::markdown::{escape, inline};
use crate::http::base_urls::BaseUrls;

/// `/docs`.
pub fn index(urls: &BaseUrls) -> String {
    let card = |Entry { name, title, summary }| {
        format!(
            "<li><a href=\"/docs/{name}\"><b>{}</b><span>{}</span></a></li>",
            escape(title),
            escape(summary)
        )
    };
    let reference = Entry {
        name: "reference",
        title: "API reference",
        summary: "Every operation of both APIs, with its answers and examples.",
    };
    let guides = GUIDES.iter().map(|guide| guide.entry);
    let cards: String = guides.chain([reference, ERROR_CODE_LIST]).map(card).collect();
    let main = format!(
        "<h1>Strongroom</h1><p>{}</p>\n<div class=\"wide\"><table><tr><th>Collect API</th><td><code>{}</code></td>\
         <td>for appliances: Basic auth</td></tr><tr><th>Management API</th><td><code>{}</code></td>\
         <td>for portals and automation: bearer tokens</td></tr></table></div>\n\
         <ul class=\"cards\">{cards}</ul>\n<h2>For programs</h2>\n<p>{}</p>",
        inline(
            "The vault for a fleet's encrypted configuration backups. Appliances send their backups here, \
             and get them back when they have to be restored."
        ),
        escape(&urls.collect),
        escape(&urls.management),
        inline(
            "[`/openapi.json`](/openapi.json) describes both APIs (OpenAPI 3.1). [`/llms.txt`](/llms.txt) is an \
             index for AI tools, and `/mcp` offers them this documentation through the Model Context Protocol."
        ),
    );
    layout::page("Documentation", "", "", &main)
}

/// The page for a path that does not exist. It does not repeat the path.
pub fn not_found() -> String {
    let main = "<h1>No such page</h1><p><a href=\"/docs\">To the overview</a></p>";
    layout::page("No such page", "nothing", "", main)
}
