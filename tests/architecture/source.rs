//! Source files as text: their code without comments, strings and tests, and the paths in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path below `src`, and its code without comments and tests.
pub struct Source {
    pub path: String,
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: without_tests(&Text::new(text).code) }
    }

    /// Returns all files of `src` except those that are compiled for tests only.
    pub fn all() -> Vec<Self> {
        let all = files("src", &["rs"]);
        assert!(!all.is_empty(), "src has no files");
        let sources = all.into_iter().map(|path| Self::new(&path["src/".len()..], &read(&path)));
        sources.filter(|source| !source.is_test()).collect()
    }

    pub fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// Returns everything that looks like a path: `a::b::c`, with groups expanded (`a::{b, c}` is `a::b` and
    /// `a::c`).
    pub fn paths(&self) -> BTreeSet<Vec<String>> {
        paths(&self.code)
    }
}

/// See `Source::paths`.
pub fn paths(code: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut word = String::new();
    for c in code.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' || c == ':' {
            word.push(c);
            continue;
        }
        let opens = c == '{' && word.ends_with("::");
        let outer = groups.last().cloned().unwrap_or_default();
        let own = word.split("::").filter(|part| !part.is_empty() && !part.contains(':')).map(str::to_owned);
        let path: Vec<String> = outer.into_iter().chain(own).collect();
        match c {
            '{' => groups.push(if opens { path.clone() } else { Vec::new() }),
            '}' => drop(groups.pop()),
            _ => {}
        }
        if !word.is_empty() {
            found.insert(path);
        }
        word.clear();
    }
    found
}

/// The parts of a Rust file, each with the line breaks of the file.
#[derive(Default)]
pub struct Text {
    /// The code without comments, and with empty strings.
    pub code: String,
    /// The comments, with their `//`, `///` and `//!`.
    pub comments: String,
    /// The string literals.
    pub strings: String,
}

impl Text {
    pub fn new(text: &str) -> Self {
        let mut parts = Self::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let literal = literal_length(rest, parts.code.chars().next_back());
            if rest.starts_with("//") {
                let end = rest.find('\n').unwrap_or(rest.len());
                parts.comments.push_str(&rest[..end]);
                rest = &rest[end..];
            } else if let Some(end) = literal {
                parts.code.push_str("\"\"");
                parts.strings.push_str(&rest[..end]);
                let breaks = rest[..end].matches('\n').count();
                parts.code.push_str(&"\n".repeat(breaks));
                parts.comments.push_str(&"\n".repeat(breaks));
                rest = &rest[end..];
            } else {
                parts.code.push(c);
                if c == '\n' {
                    parts.comments.push(c);
                    parts.strings.push(c);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
        parts
    }
}

/// Returns the length of the string or character literal that `text` begins with. `before` is the character
/// before it: an `r` at the end of a name does not begin a raw string.
fn literal_length(text: &str, before: Option<char>) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r').filter(|_| !before.is_some_and(char::is_alphanumeric)) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = &raw[hashes + 1..];
            return body.find(&close).map(|end| 1 + hashes + 1 + end + close.len());
        }
    }
    if let Some(character) = text.strip_prefix('\'') {
        let mut chars = character.chars();
        let first = chars.next()?;
        if first == '\\' {
            return character[2..].find('\'').map(|end| 1 + 2 + end + 1);
        }
        return (chars.next() == Some('\'')).then(|| 1 + first.len_utf8() + 1);
    }
    let body = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(1 + end + 1)
}

/// Removes each module that is compiled for tests only, up to its closing brace at the same indent.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = &line[..line.len() - line.trim_start().len()];
            let item = lines.next().unwrap_or_default();
            if item.trim_end().ends_with('{') {
                let end = format!("{indent}}}");
                let _ = lines.by_ref().find(|line| line.trim_end() == end);
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Returns the paths of all files below a folder of the repository with one of these extensions, relative to its
/// root.
pub fn files(folder: &str, extensions: &[&str]) -> Vec<String> {
    let root = repository();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| extensions.iter().any(|e| own == *e)) {
                found.push(path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Whether the file at this path is Rust.
pub fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

pub fn is_dir(path: &str) -> bool {
    repository().join(path).is_dir()
}

pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("a file of the repository")
}

/// Compares the findings with the known ones: both a new one and a known one that is gone fail.
pub fn assert_known(found: &BTreeSet<String>, known: &[&str], what: &str) {
    let known: BTreeSet<String> = known.iter().map(|&line| line.to_owned()).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(found).collect();
    assert!(new.is_empty(), "{what}:\n{new:#?}");
    assert!(gone.is_empty(), "these are gone: remove them from the list of known ones ({what}):\n{gone:#?}");
}

#[test]
fn comments_and_strings_are_not_code() {
    let table = [
        ("let a = 1; // diesel::prelude", "let a = 1; ", "// diesel::prelude"),
        ("let url = \"http://x\"; b", "let url = \"\"; b", ""),
        ("let q = '\"'; let r = \"a\\\"b // c\"; d", "let q = \"\"; let r = \"\"; d", ""),
        ("let x = r#\"a \" // b\"#; c::d", "let x = \"\"; c::d", ""),
        ("fn f<'a>(x: &'a str) { g('\\'') } // h", "fn f<'a>(x: &'a str) { g(\"\") } ", "// h"),
        ("let a = \"one\ntwo\"; // three", "let a = \"\"\n; ", "\n// three"),
    ];
    for (text, code, comments) in table {
        let parts = Text::new(text);
        assert_eq!((parts.code.as_str(), parts.comments.as_str()), (code, comments), "{text}");
    }
}

/// Returns the checkout that cargo tests. Read when the test runs: checkouts that share a target directory may share a test binary.
fn repository() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR").into()
}
