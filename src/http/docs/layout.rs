//! The layout of all pages.

use super::contents::{ERROR_CODE_LIST, GUIDES};
use super::markdown::escape;

/// The style of all pages. It uses no web fonts and no images, so a page loads nothing else.
pub const STYLE: &str = include_str!("style.css");

/// A page: the navigation beside the content `main`, or above it on a narrow screen. `name` is the page's entry in the
/// navigation, and `chapters` are the list items below that entry.
pub fn page(title: &str, name: &str, chapters: &str, main: &str) -> String {
    let mut links = link("", "Overview", name);
    for entry in GUIDES.iter().map(|guide| guide.entry) {
        links += &link(entry.name, entry.title, name);
        if entry.name == name && !chapters.is_empty() {
            links.extend(["<li><ul>", chapters, "</ul></li>"]);
        }
    }
    links += &link("reference", "API reference", name);
    if name == "reference" {
        links.extend(["<li><ul>", chapters, "</ul></li>"]);
    }
    links += &link(ERROR_CODE_LIST.name, ERROR_CODE_LIST.title, name);
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
