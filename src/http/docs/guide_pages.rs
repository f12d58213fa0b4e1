//! The guides as pages and as Markdown.

use super::contents::{ERROR_CODE_LIST, guide};
use super::markdown::{Heading, escape, to_html};
use super::{error_pages, layout};

/// `/docs/{guide}`.
pub fn page(name: &str) -> Option<String> {
    let guide = guide(name)?;
    let (html, chapters) = to_html(guide.markdown);
    let link = |chapter: &Heading| {
        format!("<li><a href=\"#{}\">{}</a></li>", escape(&chapter.anchor), escape(&chapter.text))
    };
    let chapters: String = chapters.iter().map(link).collect();
    let main = format!("{html}<p class=\"source\"><a href=\"/docs/{name}.md\">This page as Markdown</a></p>");
    Some(layout::page(guide.entry.title, name, &chapters, &main))
}

/// `/docs/{guide}.md`, also for the list of error codes.
pub fn markdown(name: &str) -> Option<String> {
    if name == ERROR_CODE_LIST.name {
        return Some(error_pages::markdown());
    }
    guide(name).map(|guide| guide.markdown.to_owned())
}
