//! Makes the links of Markdown files lead to pages, and HTML in them text.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

use crate::http::docs::contents::page_of_file;

/// Turns HTML into text, and links to other files into links to their pages. A link to a file that has no page is left out;
/// its text stays.
pub fn adapt<'a>(events: impl Iterator<Item = Event<'a>>) -> Vec<Event<'a>> {
    let mut out = Vec::new();
    let mut is_omitted = false;
    for event in events {
        match event {
            // Notes to the writers of the file.
            Event::Html(text) | Event::InlineHtml(text) if text.trim_start().starts_with("<!--") => {}
            Event::Html(text) | Event::InlineHtml(text) => out.push(Event::Text(text)),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => match target(&dest_url) {
                Some(url) => {
                    let dest_url = CowStr::from(url);
                    out.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
                None => is_omitted = true,
            },
            Event::End(TagEnd::Link) if is_omitted => is_omitted = false,
            event => out.push(event),
        }
    }
    out
}

/// The URL of a link's target: an anchor, a path of this service, a URL, or the page of a file of the repository.
fn target(link: &str) -> Option<String> {
    if link.starts_with(['#', '/']) || link.contains("://") {
        return Some(link.to_owned());
    }
    let (file, anchor) = link.split_at(link.find('#').unwrap_or(link.len()));
    page_of_file(file, anchor)
}

#[cfg(test)]
mod tests {
    use crate::http::docs::markdown::to_html;

    #[test]
    fn link_to_a_neighbouring_file_leads_to_its_page() {
        let (html, _) =
            to_html("[a](portals.md) [b](#limits) [c](portals.md#links) [d](../README.md#settings)");
        assert!(html.contains(r#"href="/docs/portals""#) && html.contains(r##"href="#limits""##), "{html}");
        assert!(html.contains(r#"href="/docs/portals#links""#), "{html}");
        assert!(html.contains(r#"href="/docs/settings""#), "{html}");
    }

    #[test]
    fn link_to_a_file_without_a_page_becomes_its_text() {
        let (html, _) =
            to_html("[the _agent_](../deploy/appliance) [why](decisions/0001-a.md) [x](https://a.example/)");
        assert_eq!(html.trim(), r#"<p>the <em>agent</em> why <a href="https://a.example/">x</a></p>"#);
    }
}
