//! The status of a system is worked out in one place: the function `system_status` in the migration that made it.

use crate::source::{files, read};

/// The columns that the rule compares with the clock, or with each other.
const COMPARED: [&str; 5] =
    ["protected_until", "contact_period_in_force", "refused_since", "last_seen_at", "backup_period_in_force"];
/// Files that compare one of them for another purpose.
const ELSEWHERE: [(&str, &str); 7] = [
    // They write the time at most once a minute.
    ("src/db/credentials.rs", "last_seen_at"),
    ("src/db/seen_systems.rs", "last_seen_at"),
    ("src/db/seen_systems.sql", "last_seen_at"),
    ("src/db/unavailable_uploads.sql", "last_seen_at"),
    // It finds the systems that do not have the new default yet.
    ("src/db/periods.rs", "backup_period_in_force"),
    // They choose the index with which Postgres finds the systems of a status.
    ("src/db/systems/page/sql.rs", "protected_until"),
    ("src/db/systems/page/tests.rs", "protected_until"),
];

/// Whether a comparison or a sum stands directly before or behind the name at `place`.
fn is_compared(text: &str, place: usize, name: &str) -> bool {
    let operator = |c: char| "<>+".contains(c);
    let before =
        text[..place].trim_end_matches(|c: char| c.is_whitespace() || c.is_alphanumeric() || c == '.');
    let behind = text[place + name.len()..].trim_start();
    let compares = |text: &str| text.ends_with(operator) || text.ends_with(">=") || text.ends_with("<=");
    let is_arrow = before.ends_with("->") || before.ends_with("=>");
    (compares(before) && !is_arrow) || behind.starts_with(operator)
}

fn second_rules(path: &str, text: &str) -> Vec<String> {
    let text = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("--"));
    let text = text.collect::<Vec<_>>().join("\n");
    let compares = |name: &&&str| {
        text.match_indices(**name).any(|(place, name)| is_compared(&text, place, name))
            && !ELSEWHERE.contains(&(path, **name))
    };
    COMPARED.iter().filter(compares).map(|name| format!("{path}: {name}")).collect()
}

#[test]
fn nothing_but_the_function_works_out_a_status() {
    let first = "migrations/2026-11-27-000000_fleet/";
    let mut found = vec![];
    for path in ["src", "migrations", "deploy"].iter().flat_map(|folder| files(folder, &["rs", "sql"])) {
        // Other migrations that made views before it, and the one that made it.
        if path.starts_with("migrations/") && path.as_str() < "migrations/2026-11-27-000001"
            || path.starts_with(first)
        {
            continue;
        }
        found.extend(second_rules(&path, &read(&path)));
    }
    assert!(found.is_empty(), "a second rule of the status:\n{}", found.join("\n"));
}

#[test]
fn second_rule_is_found() {
    for text in [
        "WHERE s.protected_until < now()",
        "now() >= protected_until",
        "last_seen_at + contact_period_in_force",
    ] {
        assert!(!second_rules("x.sql", text).is_empty(), "{text}");
    }
    for text in [
        "SELECT protected_until, last_seen_at FROM systems",
        "protected_until -> Nullable<Timestamptz>",
        "-- protected_until < now()",
    ] {
        assert_eq!(second_rules("x.sql", text), Vec::<String>::new(), "{text}");
    }
}
