//! The guide for support staff.

use crate::common::repository;
use crate::harness::{Database, Server, bytes};

/// The system's key in the guide: one as `strongroom system add` makes it.
const EXAMPLE_KEY: &str = "sys-4f1d0c22a7b35e90";

/// Returns the blocks of SQL in a page.
fn sql_blocks(page: &str) -> Vec<&str> {
    page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn every_query_of_the_support_guide_works_for_the_role_support() {
    let page = std::fs::read_to_string(repository().join("docs/support.md")).expect("the guide");
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(100));
    super::privileges::support_sql(server.db.url(), &[]).exits(0);
    let support = Database::at(&server.db.url_as("support"));
    let queries = sql_blocks(&page);
    assert!(queries.len() >= 8, "the guide has {} queries", queries.len());
    for query in queries {
        let named = query
            .replace("fw-01", &system.key)
            .replace(EXAMPLE_KEY, &system.key)
            .replace("acme", &system.org);
        support.try_execute(&named).unwrap_or_else(|error| panic!("{error}: {query}"));
    }
    let first = sql_blocks(&page)[0].replace("fw-01", &system.key);
    let found = format!("SELECT count(*) FROM ({}) found", first.trim().trim_end_matches(';'));
    assert_eq!(support.number(&found), 1, "the search finds the system by its key");
    assert!(
        page.matches(&format!("'{EXAMPLE_KEY}'")).count() >= 3,
        "the other queries take a key, not a name"
    );
}
