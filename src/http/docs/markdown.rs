//! Converts Markdown to HTML: headings have anchors like on a forge, and HTML in the Markdown is shown as text.

use super::contents::guide;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A heading of the second level: its text and its anchor.
pub struct Heading {
    pub text: String,
    pub anchor: String,
}

/// The HTML of a Markdown text, and its headings of the second level.
pub fn to_html(markdown: &str) -> (String, Vec<Heading>) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut events = adapt(Parser::new_ext(markdown, options));
    let mut chapters = Vec::new();
    for start in 0..events.len() {
        let Event::Start(Tag::Heading { level, .. }) = &events[start] else { continue };
        let level = *level;
        let inside = events[start + 1..].iter().take_while(|e| !matches!(e, Event::End(TagEnd::Heading(_))));
        let text: String = inside
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let anchor = anchor(&text);
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
            *id = Some(CowStr::from(anchor.clone()));
        }
        if level == HeadingLevel::H2 {
            chapters.push(Heading { text, anchor });
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    (out.replace("<table>", "<div class=\"wide\"><table>").replace("</table>", "</table></div>"), chapters)
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

/// Escapes text for an element or an attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Turns HTML into text, and links to guides into links to their pages. Links to other files of the source become their text,
/// because the service does not serve these files.
fn adapt<'a>(events: impl Iterator<Item = Event<'a>>) -> Vec<Event<'a>> {
    let mut link_is_kept = true;
    let adapted = events.filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let address = page_address(&dest_url);
            link_is_kept = address.is_some();
            let dest_url = CowStr::from(address?);
            Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) if !link_is_kept => None,
        event => Some(event),
    });
    adapted.collect()
}

/// The address for a link in a guide; `None` for a file that is not served.
fn page_address(link: &str) -> Option<String> {
    let (file, anchor) = link.split_at(link.find('#').unwrap_or(link.len()));
    if file.is_empty() || file.starts_with('/') || file.contains("://") {
        return Some(link.to_owned());
    }
    let name = file.strip_suffix(".md")?;
    guide(name).map(|guide| format!("/docs/{}{anchor}", guide.entry.name))
}

/// The anchor of a heading, like on a forge: lower case, without punctuation, with hyphens for spaces.
fn anchor(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_markdown_is_shown_as_text() {
        let (html, _) = to_html("a <script>alert(1)</script> b\n\n<img src=x>\n");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn headings_have_anchors() {
        let (html, chapters) = to_html("# One\n\n## What each answer means, and `when` to retry\n");
        assert!(html.contains(r#"<h2 id="what-each-answer-means-and-when-to-retry">"#), "{html}");
        assert_eq!(chapters.len(), 1);
        assert_eq!(chapters[0].text, "What each answer means, and when to retry");
    }

    #[test]
    fn link_to_a_neighbouring_file_leads_to_its_page() {
        let (html, _) = to_html("[a](portals.md) [b](#limits) [c](portals.md#links)");
        assert!(html.contains(r#"href="/docs/portals""#) && html.contains(r##"href="#limits""##), "{html}");
        assert!(html.contains(r#"href="/docs/portals#links""#), "{html}");
    }

    #[test]
    fn link_to_a_file_that_is_not_served_becomes_its_text() {
        let (html, _) =
            to_html("[the agent](../deploy/appliance) [why](decisions/0001-a.md) [x](https://a.example/)");
        assert_eq!(html.trim(), r#"<p>the agent why <a href="https://a.example/">x</a></p>"#);
    }
}
