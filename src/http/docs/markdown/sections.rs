//! Splits a Markdown text at its headings, for the search.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::anchors::{Anchors, heading_text};
use super::events;

/// The text under one heading, up to the next heading of any level.
pub struct Section {
    pub title: String,
    pub anchor: String,
    /// Plain text, on one line.
    pub text: String,
}

/// The sections of a Markdown text, in order.
pub fn sections(markdown: &str) -> Vec<Section> {
    let events = events(markdown);
    let mut anchors = Anchors::default();
    let mut sections: Vec<Section> = Vec::new();
    let mut is_heading = false;
    for (at, event) in events.iter().enumerate() {
        if let Event::Start(Tag::Heading { .. }) = event {
            let title = heading_text(&events[at + 1..]);
            sections.push(Section { anchor: anchors.of(&title), title, text: String::new() });
            is_heading = true;
        }
        let Some(section) = sections.last_mut() else { continue };
        match event {
            Event::End(TagEnd::Heading(_)) => is_heading = false,
            Event::Text(text) | Event::Code(text) if !is_heading => section.text.push_str(text),
            Event::SoftBreak | Event::HardBreak => section.text.push(' '),
            Event::End(TagEnd::TableCell) => section.text.push_str(" \u{b7} "),
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableRow | TagEnd::CodeBlock) => {
                section.text.push(' ');
            }
            _ => {}
        }
    }
    for section in &mut sections {
        section.text = section.text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_belongs_to_the_heading_above_it() {
        let found =
            sections("# One\n\na `b`\nc\n\n## Two\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n```sh\nls\n```\n");
        let texts: Vec<_> = found.iter().map(|s| (s.anchor.as_str(), s.text.as_str())).collect();
        assert_eq!(texts, [("one", "a b c"), ("two", "x \u{b7} y \u{b7} 1 \u{b7} 2 \u{b7} ls")]);
    }
}
