//! The guides: Markdown files of `docs/`, as pages and as they are.

use super::markdown::{escape, to_html};
use super::{error_pages, page};

/// A guide, and the name of its page.
pub struct Guide {
    pub name: &'static str,
    pub title: &'static str,
    pub summary: &'static str,
    markdown: &'static str,
}

/// All of them, in the order in which they are read.
pub const GUIDES: &[Guide] = &[
    Guide {
        name: "appliance",
        title: "Writing an appliance script",
        summary: "Upload, list, restore and delete with curl; what each answer means and when to retry.",
        markdown: include_str!("../../../docs/appliance.md"),
    },
    Guide {
        name: "portals",
        title: "Portals and automation",
        summary: "The management API: tokens, scopes, downloads, and how to use its documents in a program.",
        markdown: include_str!("../../../docs/portals.md"),
    },
    Guide {
        name: "limits",
        title: "Limits and errors",
        summary: "What is limited, what an error looks like, and what to do about it.",
        markdown: include_str!("../../../docs/limits.md"),
    },
];

/// The list of error codes, which is made from their table.
pub const ERRORS: (&str, &str, &str) =
    ("errors", "Error codes", "What each code of the gateway API means and what to do about it.");

/// The page of a guide.
pub fn page(name: &str) -> Option<String> {
    let guide = GUIDES.iter().find(|guide| guide.name == name)?;
    let (html, chapters) = to_html(guide.markdown);
    let link = |c: &super::markdown::Heading| {
        format!("<li><a href=\"#{}\">{}</a></li>", escape(&c.anchor), escape(&c.text))
    };
    let chapters: String = chapters.iter().map(link).collect();
    let main = format!("{html}<p class=\"source\"><a href=\"/docs/{name}.md\">This page as Markdown</a></p>");
    Some(page::wrap(guide.title, name, &chapters, &main))
}

/// A guide as Markdown.
pub fn source(name: &str) -> Option<String> {
    if name == ERRORS.0 {
        return Some(error_pages::markdown());
    }
    GUIDES.iter().find(|guide| guide.name == name).map(|guide| guide.markdown.to_owned())
}
