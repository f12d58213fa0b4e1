//! The part of a text around the words that were searched for.

use std::borrow::Cow;

use super::Query;

/// The length of an excerpt, in bytes.
const LENGTH: usize = 180;
/// How much of the text stands before the first found word.
const BEFORE: usize = 50;

/// The excerpt in parts: text and found words in turn, beginning with text.
pub fn of<'a>(text: &'a str, query: &Query) -> Vec<Cow<'a, str>> {
    let folded = text.to_ascii_lowercase();
    let first = place(&folded, query).unwrap_or_default();
    let start = if first <= BEFORE { 0 } else { word_start(text, first - BEFORE).min(first) };
    let end =
        if start + LENGTH >= text.len() { text.len() } else { word_end(text, start + LENGTH).max(start) };
    let mut parts: Vec<Cow<str>> = Vec::new();
    let mut at = start;
    while let Some((found, length)) = next(&folded[at..end], query) {
        parts.push(text[at..at + found].into());
        parts.push(text[at + found..at + found + length].into());
        at += found + length;
    }
    parts.push(text[at..end].into());
    if let Some(part) = parts.first_mut().filter(|_| start > 0) {
        *part = format!("\u{2026} {part}").into();
    }
    if let Some(part) = parts.last_mut().filter(|_| end < text.len()) {
        *part = format!("{} \u{2026}", part.trim_end()).into();
    }
    parts
}

/// Where the excerpt's subject is: the whole phrase, or else the first word.
fn place(folded: &str, query: &Query) -> Option<usize> {
    folded.find(&query.phrase).or_else(|| next(folded, query).map(|(at, _)| at))
}

/// The next found word and its length. Words are preferred where they begin.
fn next(folded: &str, query: &Query) -> Option<(usize, usize)> {
    let begins = |at: usize| !folded[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    let of_word = |word: &String| {
        let mut all = folded.match_indices(word.as_str()).map(|(at, _)| at);
        let found = all.clone().find(|at| begins(*at)).or_else(|| all.next());
        found.map(|at| (at, word.len()))
    };
    query.words.iter().filter_map(of_word).min_by_key(|(at, length)| (*at, usize::MAX - length))
}

/// The start of the word at or after a place.
fn word_start(text: &str, at: usize) -> usize {
    let at = (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text[at..].find(' ').map_or(at, |space| at + space + 1)
}

/// The end of the word before a place.
fn word_end(text: &str, at: usize) -> usize {
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text[..at].rfind(' ').unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn excerpt_begins_before_the_found_word() {
        let text = format!("{}the quota of an organization {}", "word ".repeat(60), "more ".repeat(60));
        let parts = of(&text, &Query::new("quota"));
        assert_eq!(parts.len(), 3);
        assert!(parts[0].starts_with("\u{2026} word") && parts[0].ends_with("the "), "{parts:?}");
        assert_eq!(parts[1], "quota");
        assert!(parts[2].ends_with("more \u{2026}"), "{parts:?}");
    }

    proptest! {
        #[test]
        fn any_text_and_query_have_an_excerpt(text in "[a-c\u{e9} ]{0,600}", query in "[a-c\u{e9} ]{0,12}") {
            let parts = of(text.trim(), &Query::new(&query));
            prop_assert!(parts.len() % 2 == 1);
        }
    }
}
