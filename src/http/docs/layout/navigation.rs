//! The navigation between the pages, and the list of a page's sections.

use std::fmt::Write as _;

use super::{Page, icons};
use crate::http::docs::contents::{ERROR_CODE_LIST, Entry, Part, REFERENCE};
use crate::http::docs::html::escape;
use crate::http::docs::markdown::Heading;
use crate::http::docs::site::Documentation;

/// The navigation: beside the content on a wide screen, and a sheet that a button opens on a narrow one. The sheet is a
/// popover, so it needs no script.
pub fn navigation(site: &Documentation, page: &Page) -> String {
    let part = |part: Part| -> Vec<Entry> {
        site.guides().iter().filter(|guide| guide.part == part).map(|guide| guide.entry).collect()
    };
    let mut out = format!(
        "<nav id=\"navigation\" class=\"side\" popover aria-label=\"Documentation\">\
         <div class=\"sheet\"><b>Documentation</b><button class=\"icon\" type=\"button\" popovertarget=\"navigation\" \
         popovertargetaction=\"hide\" aria-label=\"Close\">{}</button></div><ul>{}</ul>",
        icons::CLOSE,
        link("/docs", "Overview", page.name.is_empty())
    );
    for (title, entries) in [
        (Part::Clients.title(), part(Part::Clients)),
        ("Reference", vec![REFERENCE, ERROR_CODE_LIST]),
        (Part::Operation.title(), part(Part::Operation)),
    ] {
        let _ = write!(out, "<h2>{title}</h2><ul>");
        for Entry { name, title, .. } in entries {
            let is_current = name == page.name;
            out += &link(&format!("/docs/{name}"), title, is_current);
            if is_current && !page.chapters.is_empty() {
                let _ = write!(out, "<li>{}</li>", page.chapters);
            }
        }
        out += "</ul>";
    }
    out += "<h2>For programs</h2><ul><li><a href=\"/openapi.json\">openapi.json</a></li>\
            <li><a href=\"/llms.txt\">llms.txt</a></li></ul></nav>";
    out
}

fn link(url: &str, title: &str, is_current: bool) -> String {
    let current = if is_current { " aria-current=\"page\"" } else { "" };
    format!("<li><a href=\"{url}\"{current}>{}</a></li>", escape(title))
}

/// The list of the page's sections, beside the content of a wide screen.
pub fn sections(headings: &[Heading]) -> String {
    if headings.is_empty() {
        return "<div class=\"aside\"></div>".to_owned();
    }
    format!(
        "<nav class=\"aside\" aria-label=\"On this page\"><h2>On this page</h2>{}</nav>",
        section_links(headings)
    )
}

/// The same list for a narrow screen, folded.
pub fn folded_sections(headings: &[Heading]) -> String {
    if headings.is_empty() {
        return String::new();
    }
    format!(
        "<details class=\"contents\"><summary>On this page</summary>{}</details>",
        section_links(headings)
    )
}

fn section_links(headings: &[Heading]) -> String {
    let item = |heading: &Heading| {
        format!(
            "<li class=\"level{}\"><a href=\"#{}\">{}</a></li>",
            heading.level,
            escape(&heading.anchor),
            escape(&heading.text).replace('_', "_<wbr>")
        )
    };
    let items: String = headings.iter().map(item).collect();
    format!("<ul>{items}</ul>")
}
