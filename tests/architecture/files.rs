//! Files are short, and modules have one layout: `x/mod.rs` with its parts, never `x.rs` beside `x/`.

use std::collections::BTreeSet;

use crate::source::{assert_known, files, is_dir, read};

/// The longest file, in lines, that can be read in one sitting.
const LONGEST: usize = 300;
/// The limit for `main.rs`: it only calls the library.
const LONGEST_MAIN: usize = 60;

/// Longer files that will be split.
const KNOWN_LONG: &[&str] = &[];

/// Modules beside their folders that will be moved into them.
const KNOWN_BESIDE: &[&str] = &[];

fn all() -> Vec<String> {
    ["src", "tests", "script/load/src", "fuzz/targets"]
        .iter()
        .flat_map(|f| files(f, &["rs", "sql"]))
        .collect()
}

fn is_too_long(path: &str, text: &str) -> bool {
    text.lines().count() > if path == "src/main.rs" { LONGEST_MAIN } else { LONGEST }
}

#[test]
fn no_file_is_longer_than_can_be_read_in_one_sitting() {
    let long: BTreeSet<String> = all().into_iter().filter(|path| is_too_long(path, &read(path))).collect();
    assert_known(&long, KNOWN_LONG, "files with too many lines");
}

#[test]
fn a_module_with_parts_lies_in_its_folder() {
    let beside = all().into_iter().filter(|path| path.strip_suffix(".rs").is_some_and(is_dir));
    assert_known(&beside.collect(), KNOWN_BESIDE, "modules beside their folders");
}

#[test]
fn a_file_with_one_line_too_many_is_found() {
    let table = [
        ("src/a.rs", 300, false),
        ("src/a.rs", 301, true),
        ("src/main.rs", 60, false),
        ("src/main.rs", 61, true),
    ];
    for (path, lines, too_long) in table {
        assert_eq!(is_too_long(path, &"x\n".repeat(lines)), too_long, "{path} with {lines} lines");
    }
}
