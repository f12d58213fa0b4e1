//! Files that comments and pages name in backticks exist.

use std::collections::BTreeSet;

use crate::source::{Text, files, is_rust, read};

const FOLDERS: &[&str] = &["src", "tests", "docs", "script", "deploy", "migrations", "fuzz"];
/// Files outside these folders.
const SINGLE_FILES: &[&str] = &["README.md", "build.rs"];
const EXTENSIONS: &[&str] = &["rs", "sql", "md", "sh"];

/// Pages that name files of another project, or hypothetical ones.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("docs/decisions/0016-one-request-at-a-time.md", "quotes files of actix-http"),
    ("tests/architecture/files.rs", "explains the layout with a made-up module"),
];

/// Folders that a name may omit: `domain/range.rs` is `src/domain/range.rs`.
const PREFIXES: &[&str] = &["", "src/", "tests/", "docs/", "tests/api/"];

/// Returns the file names in backticks, without line numbers: `` `db/pool.rs:24` `` is `db/pool.rs`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.map(|name| name.split(':').next().unwrap_or(name)).filter(|name| {
        let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        name.chars().all(is_path)
            && name.rsplit_once('.').is_some_and(|(stem, extension)| {
                stem.chars().any(char::is_alphanumeric) && ["rs", "sql"].contains(&extension)
            })
    })
}

/// Whether a file has this name, or this path if the name has folders.
fn exists(known: &BTreeSet<String>, name: &str, from: &str) -> bool {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = [format!("{folder}/{name}"), format!("{}/{name}", from.trim_end_matches(".rs"))];
    PREFIXES.iter().any(|prefix| known.contains(&format!("{prefix}{name}")))
        || beside.iter().any(|path| known.contains(path))
        || known.iter().any(|path| path.ends_with(&format!("/{name}")))
}

#[test]
fn every_file_that_is_named_exists() {
    let mut all: Vec<String> = FOLDERS.iter().flat_map(|folder| files(folder, EXTENSIONS)).collect();
    all.extend(SINGLE_FILES.iter().map(|path| (*path).to_owned()));
    let known: BTreeSet<String> = all.iter().cloned().collect();
    let mut broken = Vec::new();
    let excepted = |path: &&str| !EXCEPTIONS.iter().any(|(exception, _)| exception == path);
    for path in all.iter().map(String::as_str).filter(excepted) {
        let text = read(path);
        let prose = if is_rust(path) { Text::new(&text).comments } else { text };
        for name in references(&prose).filter(|name| !exists(&known, name, path)) {
            broken.push(format!("{path} names {name}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_name_without_its_file_is_found() {
    let known = BTreeSet::from(["src/db/pool.rs".to_owned(), "src/db/mod.rs".to_owned()]);
    let table = [
        ("see `pool.rs`", &["pool.rs"][..], true),
        ("see `db/pool.rs:24`, and `a::b`", &["db/pool.rs"], true),
        ("see `src/db/pool.rs`", &["src/db/pool.rs"], true),
        ("see `gate.rs`", &["gate.rs"], false),
        ("see `actors/pool.rs`", &["actors/pool.rs"], false),
    ];
    for (text, names, found) in table {
        assert_eq!(references(text).collect::<Vec<_>>(), names, "{text}");
        assert_eq!(names.iter().all(|name| exists(&known, name, "src/db/mod.rs")), found, "{text}");
    }
}
