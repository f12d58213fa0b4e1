//! Settings and their defaults are declared in the table of `src/config/settings/` and nowhere else in the
//! source.

use crate::source::Source;

const TABLE: &str = "src/config/settings/";

/// The code of a table entry; strings are empty here.
const ENTRY: [&str; 2] = ["settings! {", "Is(\"\")"];

/// Whether a file declares settings or defaults.
fn declares(source: &Source) -> bool {
    ENTRY.iter().any(|code| source.code.contains(code))
}

#[test]
fn only_the_table_declares_settings_and_defaults() {
    let sources = Source::all();
    let (table, others): (Vec<_>, Vec<_>) =
        sources.iter().partition(|source| format!("src/{}", source.path).starts_with(TABLE));
    assert!(table.iter().filter(|source| declares(source)).count() > 4, "the table is found");
    let breaches: Vec<&str> = others.iter().filter(|s| declares(s)).map(|s| s.path.as_str()).collect();
    assert!(breaches.is_empty(), "declare settings outside of {TABLE}: {breaches:?}");
}

#[test]
fn a_default_outside_of_the_table_is_found() {
    let table = [
        ("settings! {\n    BACKUP_LEASE: u64 { Is(\"120\"), Kind::Seconds, check::seconds }\n}", true),
        ("const DEFAULT: Default = Is(\"120\");", true),
        ("fn f() { let is = value.is(\"120\"); } // Is(\"120\")", false),
    ];
    for (text, found) in table {
        assert_eq!(declares(&Source::new("http/server.rs", text)), found, "{text}");
    }
}
