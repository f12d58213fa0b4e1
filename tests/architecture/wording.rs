//! The words that `docs/glossary.md` replaces are not used.

use std::collections::BTreeSet;

use crate::source::{Text, files, is_rust, read};

const GLOSSARY: &str = "docs/glossary.md";

/// Where a word of the glossary's third column is right: the beginning of a path, the word, the reason.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[(INITIAL, "let in", APPLIED), (INITIAL, "taken back", APPLIED), (INITIAL, "the books", APPLIED)];

const INITIAL: &str = "migrations/2026-11-21-000000_initial/";
const APPLIED: &str = "a migration that databases have applied is not changed";

/// A forbidden word, in lower case and in its parts: `take_back` is `["take", "back"]`.
#[derive(Clone, Debug, PartialEq)]
struct Forbidden {
    entry: String,
    parts: Vec<String>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    NamesAndProse,
    Names,
    BeginningOfDocs,
}

/// Returns the words in backticks in the third columns.
fn forbidden(glossary: &str) -> Vec<Forbidden> {
    let cells = glossary.lines().filter(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(3));
    let entries = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    entries
        .map(|entry| {
            let place = match entry {
                _ if entry.ends_with("...") => Place::BeginningOfDocs,
                _ if entry.contains(|c: char| c.is_uppercase() || c == '_') => Place::Names,
                _ => Place::NamesAndProse,
            };
            Forbidden { entry: entry.to_owned(), parts: name_parts(entry), place }
        })
        .collect()
}

/// Returns the parts of a name or of several words, in lower case: `TakenBack`, `taken_back` and `taken back`
/// are the same.
fn name_parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_alphanumeric() {
            if !before.is_alphanumeric() || (c.is_uppercase() && !before.is_uppercase()) {
                parts.push(String::new());
            }
            if let Some(part) = parts.last_mut() {
                part.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    parts
}

/// The words of a file.
struct Page {
    names: BTreeSet<Vec<String>>,
    /// The words between two marks of punctuation.
    prose: Vec<Vec<String>>,
    docs: String,
}

impl Page {
    fn new(path: &str, text: &str) -> Self {
        if is_rust(path) {
            let Text { code, comments, strings } = Text::new(text);
            let names = words(&code).map(name_parts).collect();
            return Self {
                names,
                prose: sentences(&(comments.clone() + &strings.replace("\\n", "\n"))),
                docs: comments,
            };
        }
        // In documentation and in SQL, names are in backticks.
        let names = text.split('`').skip(1).step_by(2).flat_map(words).map(name_parts).collect();
        Self { names, prose: sentences(text), docs: String::new() }
    }

    fn has(&self, word: &Forbidden) -> bool {
        let in_prose = || self.prose.iter().any(|sentence| contains(sentence, &word.parts));
        let in_names = || self.names.iter().any(|name| contains(name, &word.parts));
        match word.place {
            Place::NamesAndProse => in_names() || in_prose(),
            Place::Names => in_names(),
            Place::BeginningOfDocs => begins_docs(&self.docs, &word.parts),
        }
    }
}

fn contains(words: &[String], wanted: &[String]) -> bool {
    words.windows(wanted.len()).any(|window| window == wanted)
}

/// Returns names and words; a name with underscores is one word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn sentences(prose: &str) -> Vec<Vec<String>> {
    let parts = prose.split(['.', ',', ';', ':', '(', ')', '`', '"']);
    parts.map(|part| words(part).map(str::to_lowercase).collect()).collect()
}

/// Whether an item's documentation begins with these words: the first line of `///` after another line.
fn begins_docs(comments: &str, wanted: &[String]) -> bool {
    let mut inside = false;
    comments.lines().any(|line| {
        let text = line.trim_start().strip_prefix("///");
        let begins = !inside && text.is_some_and(|text| name_parts(text).starts_with(wanted));
        inside = text.is_some();
        begins
    })
}

fn pages() -> Vec<String> {
    let folders = ["src", "tests", "fuzz/targets", "script/load/src", "docs", "deploy", "migrations"];
    let all = folders.iter().flat_map(|folder| files(folder, &["rs", "sql", "md"]));
    all.filter(|path| path != GLOSSARY && !path.starts_with("tests/architecture/")).collect()
}

#[test]
fn words_that_the_glossary_replaces_are_not_used() {
    let words = forbidden(&read(GLOSSARY));
    let (mut found, mut needed) = (Vec::new(), BTreeSet::new());
    for path in pages() {
        let page = Page::new(&path, &read(&path));
        for word in words.iter().filter(|word| page.has(word)) {
            let known =
                EXCEPTIONS.iter().find(|(place, entry, _)| path.starts_with(place) && *entry == word.entry);
            let known = known.map(|(place, entry, _)| format!("{place} {entry}"));
            match known {
                Some(exception) => drop(needed.insert(exception)),
                None => found.push(format!("{path}: {}", word.entry)),
            }
        }
    }
    assert!(found.is_empty(), "words that {GLOSSARY} replaces:\n{}", found.join("\n"));
    let known = EXCEPTIONS.iter().map(|(place, entry, _)| format!("{place} {entry}"));
    let gone: Vec<String> = known.filter(|exception| !needed.contains(exception)).collect();
    assert!(gone.is_empty(), "exceptions that nothing needs any more: {gone:?}");
}

#[test]
fn a_word_that_the_glossary_replaces_is_found_where_it_is_not_allowed() {
    let glossary = "| term | meaning | instead of |\n|---|---|---|\n| a | b | `take_back`, `job`, `Gives ...` |\n| c | d | `the books` |";
    let words = forbidden(glossary);
    assert_eq!(words.len(), 4, "{words:?}");
    let table = [
        ("src/a.rs", "fn take_back() {}", Some("take_back")),
        ("src/a.rs", "let x = Error::TakeBack;", Some("take_back")),
        ("src/a.rs", "fn must_take_back_all() {}", Some("take_back")),
        ("src/a.rs", "// They take back what they gave.", None),
        ("src/a.rs", "fn retake_backup() {}", None),
        ("src/a.rs", "struct PurgeJob;", Some("job")),
        ("src/a.rs", "// The Job\n// ends.", Some("job")),
        ("src/a.rs", "log(\"a job ended\");", Some("job")),
        ("src/a.rs", "log(\"ended:\\njob 1\");", Some("job")),
        ("src/cli/a.rs", "println!(\"the books balance\");", Some("the books")),
        ("src/cli/a.rs", "let text = \"whether the \\\n    books balance\";", Some("the books")),
        ("src/cli/a.rs", "/// Whether the books\n/// balance.", Some("the books")),
        ("src/cli/a.rs", "kind: \"books\",", None),
        ("src/a.rs", "fn jobless() {} // jobless", None),
        ("src/a.rs", "/// Gives a number.\nfn f() {}", Some("Gives ...")),
        ("src/a.rs", "/// A number.\n/// Gives more.\nfn f() {} // Gives", None),
        ("docs/a.md", "The job ends.", Some("job")),
        ("docs/a.md", "See `TakeBack`.", Some("take_back")),
        ("src/a.sql", "-- a job", Some("job")),
    ];
    for (path, text, expected) in table {
        let page = Page::new(path, text);
        let found: Vec<&str> =
            words.iter().filter(|word| page.has(word)).map(|word| word.entry.as_str()).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
}
