//! The guides as pages.

use super::contents::{ERROR_CODE_LIST, Entry, Guide, Part, REFERENCE};
use super::html::escape;
use super::layout::{self, Page};
use super::markdown::to_html;
use super::site::Documentation;

/// `/docs/{guide}`.
pub fn page(site: &Documentation, name: &str) -> Option<String> {
    let guide = site.guide(name)?;
    let (html, headings) = to_html(&guide.markdown);
    // Below the title.
    let html = html.replacen("</h1>", &format!("</h1>{}", layout::folded_sections(&headings)), 1);
    let (before, after) = neighbours(site, name);
    let main = format!(
        "<p class=\"eyebrow\">{}</p><article class=\"prose\">{html}</article>\
         <p class=\"source\"><a href=\"/docs/{name}.md\">This page as Markdown</a></p>{}",
        escape(guide.part.title()),
        layout::neighbours(before, after),
    );
    let Entry { title, summary, .. } = guide.entry;
    Some(layout::render(
        site,
        &Page { title, name, summary, headings: &headings, main: &main, ..Page::default() },
    ))
}

/// The pages before and after a page, in the order of the navigation.
pub fn neighbours(site: &Documentation, name: &str) -> (Option<Entry>, Option<Entry>) {
    let (first, second): (Vec<_>, Vec<_>) =
        site.guides().iter().partition(|guide| guide.part == Part::Clients);
    let of = |guides: Vec<&Guide>| guides.into_iter().map(|guide| guide.entry).collect::<Vec<_>>();
    let all: Vec<Entry> = [of(first), vec![REFERENCE, ERROR_CODE_LIST], of(second)].concat();
    let Some(at) = all.iter().position(|entry| entry.name == name) else { return (None, None) };
    (at.checked_sub(1).and_then(|before| all.get(before)).copied(), all.get(at + 1).copied())
}
