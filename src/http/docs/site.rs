//! The documentation as the handlers see it. It is prepared once, when the service starts.

use std::borrow::Cow;

use super::contents::{ERROR_CODE_LIST, Entry, GUIDES, Guide, Part, SETTINGS};
use super::error_list;
use super::search::SearchIndex;

/// The guides, and the index of the search.
pub struct Documentation {
    guides: Vec<Guide>,
    pub search: SearchIndex,
}

impl Documentation {
    /// `settings`: the page about the settings, as Markdown.
    pub fn new(settings: String) -> Self {
        let of_file = |guide: &Guide| Guide { markdown: guide.markdown.clone(), ..*guide };
        let settings = Guide { entry: SETTINGS, part: Part::Operation, markdown: Cow::Owned(settings) };
        let guides: Vec<Guide> = GUIDES.iter().map(of_file).chain([settings]).collect();
        let search = SearchIndex::new(&guides);
        Self { guides, search }
    }

    /// All guides, in reading order.
    pub fn guides(&self) -> &[Guide] {
        &self.guides
    }

    /// The guide with this name.
    pub fn guide(&self, name: &str) -> Option<&Guide> {
        self.guides.iter().find(|guide| guide.entry.name == name)
    }

    /// Everything that can be read as Markdown: the guides and the list of error codes.
    pub fn markdown_entries(&self) -> impl Iterator<Item = Entry> {
        self.guides.iter().map(|guide| guide.entry).chain([ERROR_CODE_LIST])
    }

    /// A guide or the list of error codes as Markdown.
    pub fn markdown(&self, name: &str) -> Option<String> {
        if name == ERROR_CODE_LIST.name {
            return Some(error_list::markdown());
        }
        self.guide(name).map(|guide| guide.markdown.to_string())
    }
}
