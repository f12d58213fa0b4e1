//! The search: over the sections of the guides, the settings, the operations, the schemas and the error codes. The same ranking
//! serves the page of results, and the list below the search field (`/docs/search.json`).

mod entries;
mod excerpt;
mod page;
mod rank;

use serde::Deserialize;
use serde_json::{Value, json};

use super::contents::Guide;
pub use entries::Entry;
pub use page::page;

/// Limits on the cost of a search, which needs no credential.
const MAX_QUERY: usize = 200;
const MAX_WORDS: usize = 8;

/// The results of `/docs/search.json`: what fits below the field.
const MAX_LISTED: usize = 10;
/// The results on the page.
const MAX_SHOWN: usize = 40;

/// The part of a URL after `?`.
#[derive(Deserialize, Default)]
pub struct SearchQuery {
    #[serde(default)]
    pub q: String,
}

/// Everything that can be found.
pub struct SearchIndex(Vec<Entry>);

impl SearchIndex {
    pub fn new(guides: &[Guide]) -> Self {
        Self(entries::all(guides))
    }

    /// The entries that fit best, in order.
    pub fn find(&self, query: &Query) -> Vec<&Entry> {
        rank::best(&self.0, query, MAX_SHOWN)
    }

    /// The answer of `/docs/search.json`. The parts of an excerpt are text and found words in turn.
    pub fn json(&self, query: &Query) -> Value {
        let results = self.find(query).into_iter().take(MAX_LISTED).map(|entry| {
            json!({
                "kind": entry.kind.title(), "page": entry.page, "title": entry.title, "url": entry.url,
                "excerpt": excerpt::of(&entry.text, query),
            })
        });
        json!({ "query": query.text, "results": results.collect::<Vec<_>>() })
    }
}

/// What somebody searches for.
pub struct Query {
    pub text: String,
    /// The different words, in lower case.
    words: Vec<String>,
    /// All words, with a space between them.
    phrase: String,
}

impl Query {
    /// Reads a query. What exceeds the limits is ignored.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let end = (0..=MAX_QUERY.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let text = &text[..end.unwrap_or_default()];
        let mut words: Vec<String> = Vec::new();
        for word in text.split_whitespace().map(str::to_ascii_lowercase) {
            let word = word.trim_matches(|c: char| "\"'`,;:?!()<>[]{}".contains(c)).to_owned();
            if !word.is_empty() && !words.contains(&word) && words.len() < MAX_WORDS {
                words.push(word);
            }
        }
        Self { text: text.to_owned(), phrase: words.join(" "), words }
    }
}
