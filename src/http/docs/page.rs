//! What all pages have in common, the first page, and the page that is not there.

use super::guides::{ERRORS, GUIDES};
use super::markdown::{escape, inline};
use crate::http::base_urls::BaseUrls;

/// The style of all pages. It names no font and no picture: there is nothing to load.
pub const STYLE: &str = include_str!("style.css");

/// A page: navigation beside its content (above it on a narrow screen).
pub fn wrap(title: &str, name: &str, chapters: &str, main: &str) -> String {
    let mut links = link("", "Overview", name);
    for guide in GUIDES {
        links += &link(guide.name, guide.title, name);
        if guide.name == name && !chapters.is_empty() {
            links.extend(["<li><ul>", chapters, "</ul></li>"]);
        }
    }
    links += &link("reference", "API reference", name);
    if name == "reference" {
        links.extend(["<li><ul>", chapters, "</ul></li>"]);
    }
    links += &link(ERRORS.0, ERRORS.1, name);
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - Strongroom</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\n\
         <body><a class=\"skip\" href=\"#main\">Skip to the text</a>\
         <header><a href=\"/docs\">Strongroom</a> <span>{version}</span></header>\
         <div class=\"frame\"><nav aria-label=\"Documentation\"><ul>{links}</ul>\
         <p class=\"machine\"><a href=\"/openapi.json\">openapi.json</a> <a href=\"/llms.txt\">llms.txt</a></p></nav>\n\
         <main id=\"main\">{main}</main></div></body></html>\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn link(name: &str, title: &str, current: &str) -> String {
    let here = if name == current { " aria-current=\"page\"" } else { "" };
    let slash = if name.is_empty() { "" } else { "/" };
    format!("<li><a href=\"/docs{slash}{name}\"{here}>{}</a></li>", escape(title))
}

/// `/docs`.
pub fn index(urls: &BaseUrls) -> String {
    let card = |name: &str, title: &str, summary: &str| {
        format!(
            "<li><a href=\"/docs/{name}\"><b>{}</b><span>{}</span></a></li>",
            escape(title),
            escape(summary)
        )
    };
    let mut cards: String = GUIDES.iter().map(|guide| card(guide.name, guide.title, guide.summary)).collect();
    cards +=
        &card("reference", "API reference", "Every operation of both APIs, with its answers and examples.");
    cards += &card(ERRORS.0, ERRORS.1, ERRORS.2);
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
    wrap("Documentation", "", "", &main)
}

/// What is not there; without what was asked for.
pub fn not_found() -> String {
    let main = "<h1>No such page</h1><p><a href=\"/docs\">To the overview</a></p>";
    wrap("No such page", "nothing", "", main)
}
