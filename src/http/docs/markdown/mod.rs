//! Converts Markdown to HTML: headings have anchors like on a forge, and HTML in the Markdown is shown as text.

mod anchors;
mod links;
mod sections;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

pub use sections::{Section, sections};

use super::highlight::code_block;
use super::html::permalink;
use anchors::Anchors;

/// A heading of the second or third level.
pub struct Heading {
    /// 2 or 3.
    pub level: u8,
    pub text: String,
    pub anchor: String,
}

/// The HTML of a Markdown text, and its headings of the second and third level.
pub fn to_html(markdown: &str) -> (String, Vec<Heading>) {
    let mut events = events(markdown);
    let headings = anchor_headings(&mut events);
    let events = render_parts(events);
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    // A header cell without text is none.
    let out = out.replace("<th></th>", "<td></td>");
    (out.replace("<table>", "<div class=\"wide\"><table>").replace("</table>", "</table></div>"), headings)
}

/// The HTML of one paragraph, without `<p>` around it.
pub fn inline(markdown: &str) -> String {
    let (html, _) = to_html(markdown);
    let html = html.trim();
    match html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>")) {
        Some(inside) if !inside.contains("<p>") => inside.to_owned(),
        _ => html.to_owned(),
    }
}

/// The events of the parser, without HTML and with the links of the pages.
fn events(markdown: &str) -> Vec<Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    links::adapt(Parser::new_ext(markdown, options))
}

/// Sets the anchor of each heading, and adds a link to it. Returns the headings of the second and third level.
fn anchor_headings(events: &mut Vec<Event>) -> Vec<Heading> {
    let mut anchors = Anchors::default();
    let mut headings = Vec::new();
    let mut at = 0;
    while at < events.len() {
        if let Event::Start(Tag::Heading { level, .. }) = events[at] {
            let text = anchors::heading_text(&events[at + 1..]);
            let anchor = anchors.of(&text);
            if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
                *id = Some(CowStr::from(anchor.clone()));
            }
            if level != HeadingLevel::H1 {
                let end = events[at..].iter().position(|e| matches!(e, Event::End(TagEnd::Heading(_))));
                let link = Event::InlineHtml(permalink(&anchor, &text).into());
                events.insert(at + end.unwrap_or_default(), link);
            }
            if let HeadingLevel::H2 | HeadingLevel::H3 = level {
                headings.push(Heading { level: level as u8, text, anchor });
            }
        }
        at += 1;
    }
    headings
}

/// Replaces code blocks by their coloured HTML, and the boxes of task lists, which nobody can tick, by marks.
fn render_parts(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    let mut out = Vec::with_capacity(events.len());
    let mut open: Option<(String, String)> = None;
    for event in events {
        match (event, &mut open) {
            (Event::Start(Tag::CodeBlock(kind)), _) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                open = Some((language, String::new()));
            }
            (Event::Text(text), Some((_, code))) => code.push_str(&text),
            (Event::End(TagEnd::CodeBlock), Some((language, code))) => {
                out.push(Event::Html(code_block(language, code).into()));
                open = None;
            }
            (Event::TaskListMarker(is_done), _) => {
                let class = if is_done { "task done" } else { "task" };
                out.push(Event::InlineHtml(format!("<span class=\"{class}\"></span>").into()));
            }
            (event, _) => out.push(event),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_markdown_is_shown_as_text() {
        let (html, _) = to_html("a <script>alert(1)</script> b\n\n<img src=x>\n\n```sh\n<img src=x>\n```\n");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn headings_have_anchors() {
        let (html, headings) =
            to_html("# One\n\n## What each answer means, and `when` to retry\n\n### Deep\n");
        assert!(html.contains(r#"<h2 id="what-each-answer-means-and-when-to-retry">"#), "{html}");
        assert_eq!(headings.len(), 2);
        assert_eq!(headings[0].text, "What each answer means, and when to retry");
        assert_eq!((headings[1].level, headings[1].anchor.as_str()), (3, "deep"));
    }

    #[test]
    fn two_headings_with_one_text_have_different_anchors() {
        let (html, _) = to_html("## Same\n\n## Same\n");
        assert!(html.contains(r#"<h2 id="same">"#) && html.contains(r#"<h2 id="same-1">"#), "{html}");
    }
}
