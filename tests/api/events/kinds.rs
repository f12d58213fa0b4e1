//! The kinds of events are documented where people look them up.

use std::collections::BTreeSet;

use strongroom::domain::event_kind::EventKind;
use strongroom::domain::failure_reason::FailureReason;

use crate::harness::Database;

/// Returns the section of the guide about the history.
fn section() -> String {
    let guide = crate::common::repository().join("docs/operations.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let start = guide.find("## Who did what").expect("the section");
    let rest = &guide[start..];
    rest[..rest[2..].find("\n## ").expect("another section") + 2].to_owned()
}

#[test]
fn guide_and_comment_name_every_kind() {
    let section = section();
    let table = section.split_once("| kind |").expect("the table").1;
    let documented: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let kinds: BTreeSet<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(documented, kinds, "docs/operations.md");
    let comment = Database::new().one(
        "SELECT col_description('backup_events'::regclass, attnum) FROM pg_attribute \
         WHERE attrelid = 'backup_events'::regclass AND attname = 'kind'",
    );
    for kind in kinds {
        let named = comment.split([' ', ',', ';', '.']).any(|word| word == kind);
        assert!(named, "COMMENT ON COLUMN backup_events.kind: {kind}");
    }
}

#[test]
fn guide_names_every_reason_of_a_failure() {
    let section = section();
    for reason in FailureReason::ALL {
        assert!(section.contains(&format!("`{reason}`")), "docs/operations.md: {reason}");
    }
}
