//! The search finds what people look for, with and without the script.

use serde_json::Value;

use super::crawl::{attributes, text};
use crate::harness::Server;

/// Encodes everything but letters and digits.
fn encoded(query: &str) -> String {
    let encode = |b: u8| match b {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    query.bytes().map(encode).collect()
}

fn search(server: &Server, query: &str) -> Vec<Value> {
    let answer = server.manage("GET", &format!("/docs/search.json?q={}", encoded(query))).send().status(200);
    answer.json()["results"].as_array().expect("results").clone()
}

/// Returns the part of a page between the header and its end.
fn results(page: &str) -> &str {
    page.split_once("<main").expect("a main part").1
}

#[test]
fn search_finds_the_right_place_first() {
    let server = Server::start();
    // The query, a place that must be among the first results, and how many these are.
    let table = [
        ("413", "/docs/limits#what-is-limited", 6),
        ("413", "/docs/appliance#what-each-answer-means-and-when-to-retry", 6),
        ("rate limit", "/docs/settings#backup_rate_limit_per_minute", 2),
        ("rate limit", "/docs/limits#what-is-limited", 5),
        ("X-Filename", "/docs/appliance#x-filename-and-content-type", 1),
        ("x-filename", "/docs/reference#uploadBackup", 3),
        ("quota", "/docs/operations#when-uploads-are-refused", 6),
        ("BACKUP_LEASE", "/docs/settings#backup_lease", 1),
        ("backup lease", "/docs/settings#backup_lease", 1),
        ("restore", "/docs/appliance#restore", 1),
        ("insufficient_scope", "/docs/errors/insufficient_scope", 1),
        ("uploadBackup", "/docs/reference#uploadBackup", 1),
        ("upload a backup", "/docs/reference#uploadBackup", 2),
        ("Retry-After", "/docs/appliance#what-each-answer-means-and-when-to-retry", 1),
        ("pgbouncer", "/docs/operations#behind-pgbouncer", 1),
        ("<restore>", "/docs/appliance#restore", 1),
        ("{certificates}", "/docs/operations#certificates", 1),
        ("certificates", "/docs/operations#certificates", 1),
        ("certificate", "/docs/operations#certificates", 3),
    ];
    for (query, expected, among) in table {
        let found = search(&server, query);
        let urls: Vec<&str> = found.iter().filter_map(|result| result["url"].as_str()).collect();
        let first = urls.iter().take(among);
        assert!(first.clone().any(|url| *url == expected), "{query}: {expected} is not in {urls:#?}");
    }
}

#[test]
fn search_result_says_where_it_is_and_marks_the_found_words() {
    let server = Server::start();
    let found = search(&server, "Lease process");
    let setting =
        found.iter().find(|result| result["url"] == "/docs/settings#backup_lease").expect("the setting");
    assert_eq!(setting["kind"], "Setting");
    assert_eq!(setting["page"], "Settings");
    assert_eq!(setting["title"], "BACKUP_LEASE");
    for result in found {
        let parts: Vec<&str> =
            result["excerpt"].as_array().expect("parts").iter().filter_map(Value::as_str).collect();
        assert!(parts.len() % 2 == 1, "{result}");
        for marked in parts.iter().skip(1).step_by(2) {
            assert!(["lease", "process"].contains(&marked.to_lowercase().as_str()), "{marked} in {result}");
        }
        assert!(parts.concat().chars().count() < 260, "{result}");
    }
}

#[test]
fn search_page_shows_the_same_results_without_a_script() {
    let server = Server::start();
    let page = text(&server.manage("GET", "/docs/search?q=rate+limit").send().status(200));
    let listed: Vec<Value> =
        search(&server, "rate limit").iter().map(|result| result["url"].clone()).collect();
    let shown = attributes(results(&page), "href");
    assert!(shown.len() > 5, "{shown:?}");
    let expected: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    assert_eq!(shown[..expected.len()], expected[..]);
    assert!(page.contains("<mark>limit</mark>"), "{page}");
    assert!(page.contains("name=\"q\" value=\"rate limit\""), "{page}");
    assert!(page.contains("<form class=\"search\" role=\"search\" action=\"/docs/search\">"), "{page}");
}

#[test]
fn search_finds_nothing_for_nothing() {
    let server = Server::start();
    for query in ["", "   ", "\"", "zebracrossing", "zebra crossing"] {
        assert_eq!(search(&server, query), Vec::<Value>::new(), "{query:?}");
    }
    let page = text(&server.manage("GET", "/docs/search?q=zebra").send().status(200));
    assert!(page.contains("Nothing was found for <b>zebra</b>"), "{page}");
}

#[test]
fn any_query_is_answered_and_escaped() {
    let server = Server::start();
    let hostile = "\"><script>alert(1)</script>'&";
    let page =
        text(&server.manage("GET", &format!("/docs/search?q={}", encoded(hostile))).send().status(200));
    assert!(!page.contains("<script>") && page.contains("&quot;&gt;&lt;script&gt;"), "{page}");
    let long = "\u{e9}quota ".repeat(3000);
    for query in [
        "%",
        "%FF",
        "a=b&q",
        "q=%00",
        "q[]=1",
        "q=a&q=b",
        &format!("q={}", "quota+".repeat(2000)),
        &format!("q={}", encoded(&long)),
    ] {
        for path in ["/docs/search", "/docs/search.json"] {
            server.manage("GET", &format!("{path}?{query}")).send().status(200);
        }
    }
}

#[test]
fn a_plural_finds_the_singular() {
    let server = Server::start();
    let found = search(&server, "leases");
    assert!(found.iter().any(|result| result["url"] == "/docs/settings#backup_lease"), "{found:#?}");
}
