//! Ranks entries: a match in a title counts more than one in a name, and that more than one in the text; a whole word counts
//! more than the beginning of one.

use super::Query;
use super::entries::{Entry, Kind};

/// How well a word is found in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    None,
    Inside,
    Beginning,
    Whole,
}

/// The `limit` best entries, in order. Entries with all words come first; if there is none, those with any word.
pub fn best<'a>(entries: &'a [Entry], query: &Query, limit: usize) -> Vec<&'a Entry> {
    if query.words.is_empty() {
        return Vec::new();
    }
    let scored = |needs_all: bool| -> Vec<(u32, &Entry)> {
        entries.iter().filter_map(|entry| Some((score(entry, query, needs_all)?, entry))).collect()
    };
    let mut found = scored(true);
    if found.is_empty() {
        found = scored(false);
    }
    // The sort is stable: equal entries stay in reading order.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().take(limit).map(|(_, entry)| entry).collect()
}

fn score(entry: &Entry, query: &Query, needs_all: bool) -> Option<u32> {
    let mut score = 0;
    for word in &query.words {
        let found = word_score(entry, word).or_else(|| {
            // The singular of a plural is found less well.
            word.strip_suffix('s')
                .filter(|singular| singular.len() > 2)
                .and_then(|one| word_score(entry, one))
                .map(|s| s / 2)
        });
        match found {
            Some(found) => score += found,
            None if needs_all => return None,
            None => {}
        }
    }
    if score == 0 {
        return None;
    }
    if entry.folded_title == query.phrase {
        score += 120;
    }
    if query.words.len() > 1 {
        let is_together = |text: &str| text.replace(['_', '-'], " ").contains(&query.phrase);
        score += if is_together(&entry.folded_title) { 60 } else { 0 };
        score += if is_together(&entry.folded_text) { 20 } else { 0 };
    }
    // Explanations before lists of members.
    Some(score + if entry.kind == Kind::Schema { 0 } else { 3 })
}

/// The score of one word, or `None` if the entry does not have it.
fn word_score(entry: &Entry, word: &str) -> Option<u32> {
    let (in_title, _) = occurrences(&entry.folded_title, word);
    let (in_names, _) = occurrences(&entry.names, word);
    let (in_text, count) = occurrences(&entry.folded_text, word);
    let weigh = |found: Match, whole: u32| match found {
        Match::Whole => whole,
        Match::Beginning => whole * 2 / 3,
        Match::Inside => whole / 6,
        Match::None => 0,
    };
    let score = weigh(in_title, 48) + weigh(in_names, 30) + weigh(in_text, 12);
    // Several occurrences count, but a long text does not win by its length.
    (score > 0).then_some(score + 2 * count.min(5))
}

/// The best match of a word in a text, and how often the word occurs as a whole.
fn occurrences(text: &str, word: &str) -> (Match, u32) {
    let (mut best, mut count) = (Match::None, 0);
    for (at, _) in text.match_indices(word) {
        let is_edge = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        let begins = is_edge(text[..at].chars().next_back());
        let ends = is_edge(text[at + word.len()..].chars().next());
        let found = match (begins, ends) {
            (true, true) => Match::Whole,
            (true, false) => Match::Beginning,
            _ => Match::Inside,
        };
        best = best.max(found);
        count += u32::from(found == Match::Whole);
    }
    (best, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_match_best() {
        for (text, word, expected) in [
            ("the quota is full", "quota", Match::Whole),
            ("backup_lease", "lease", Match::Whole),
            ("backup_lease", "backup_lease", Match::Whole),
            ("quotas", "quota", Match::Beginning),
            ("released", "lease", Match::Inside),
            ("release a lease", "lease", Match::Whole),
            ("none", "quota", Match::None),
        ] {
            assert!(occurrences(text, word).0 == expected, "{word} in {text}");
        }
    }
}
