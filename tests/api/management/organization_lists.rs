//! `GET /api/organizations`: pages and filters.

use crate::harness::{Login, Server};

fn ids(server: &Server, token: &str, query: &str) -> Vec<String> {
    let path = format!("/api/organizations{query}");
    let data = server.manage("GET", &path).bearer(token).send().status(200).data();
    let orgs = data["organizations"].as_array().expect("a list");
    orgs.iter().map(|org| org["id"].as_str().expect("an id").to_owned()).collect()
}

/// Adds organizations with one statement: a command for each would take long.
fn add(server: &Server, sql: &str) {
    server.db.execute(&format!(
        "WITH added AS (INSERT INTO organizations (id, name, parent_id) {sql} RETURNING id) \
         INSERT INTO org_usage (org_id) SELECT id FROM added"
    ));
}

#[test]
fn caller_lists_its_organization_and_all_below_it() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    for (org, parent) in
        [("acme", "none"), ("north", "acme"), ("branch", "north"), ("west", "acme"), ("globex", "none")]
    {
        server.add_org(org, None);
        server.cli(["org", "set-parent", org, parent]).exits(0);
    }
    server.cli(["org", "rename", "west", "--name", "Westen & Söhne"]).exits(0);
    for (org, query, expected) in [
        ("acme", "", &["acme", "branch", "north", "west"][..]),
        ("north", "", &["branch", "north"]),
        ("branch", "", &["branch"]),
        ("globex", "", &["globex"]),
        ("nobody", "", &[]),
        ("acme", "?parent=acme", &["north", "west"]),
        ("acme", "?parent=north", &["branch"]),
        ("acme", "?parent=branch", &[]),
        ("acme", "?q=NORTH", &["north"]),
        ("acme", "?q=s%C3%B6hne", &["west"]),
        ("acme", "?q=%25", &[]),
        ("acme", "?q=glob", &[]),
        ("acme", "?q=", &["acme", "branch", "north", "west"]),
        ("acme", "?parent=acme&q=w", &["west"]),
    ] {
        assert_eq!(ids(&server, &login.token(org, "backup:view"), query), expected, "{org} {query}");
    }
    let admin = login.token("acme", "backup:view backup:admin");
    assert_eq!(ids(&server, &admin, ""), ["acme", "branch", "globex", "north", "west"]);
    assert_eq!(ids(&server, &admin, "?q=glob"), ["globex"]);
    // A parent that is not seen is like one that does not exist.
    let token = login.token("north", "backup:view");
    let bodies = ["acme", "west", "globex", "nobody", "..%2f", "%00"].map(|parent| {
        let path = format!("/api/organizations?parent={parent}");
        server.manage("GET", &path).bearer(&token).send().status(404).body
    });
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn pages_have_each_organization_once_while_the_tree_changes() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    server.add_org("m", None);
    add(&server, "SELECT 'm-' || lpad(n::text, 3, '0'), 'name', 'm' FROM generate_series(1, 120) AS n");
    let token = login.token("m", "backup:view");
    let mut seen = Vec::new();
    let mut cursor = None::<String>;
    let mut pages = 0;
    loop {
        let query = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/api/organizations?limit=25{query}");
        let data = server.manage("GET", &path).bearer(&token).send().status(200).data();
        let page = data["organizations"].as_array().expect("a list");
        seen.extend(page.iter().map(|org| org["id"].as_str().expect("an id").to_owned()));
        pages += 1;
        // Some are added and deleted before and after the cursor, and others are renamed and moved.
        add(&server, &format!("VALUES ('m-{pages}-a', 'x', 'm'), ('a-{pages}', 'x', 'm')"));
        server.db.execute(&format!(
            "UPDATE organizations SET name = 'other', parent_id = 'm-001' WHERE id IN ('m-{:03}', 'm-{:03}')",
            pages * 20,
            pages * 20 + 15
        ));
        match data["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(pages, 5);
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(seen, sorted, "in order, and each once");
    for n in 1..=120 {
        assert!(seen.contains(&format!("m-{n:03}")), "m-{n:03} is missing");
    }
    let page = |query: &str| {
        server.manage("GET", &format!("/api/organizations{query}")).bearer(&token).send().data()
    };
    assert_eq!(page("")["organizations"].as_array().map(Vec::len), Some(50));
    assert_eq!(page("?limit=200")["next_cursor"], serde_json::Value::Null);
    assert_eq!(page("?limit=1")["organizations"].as_array().map(Vec::len), Some(1));
}

#[test]
fn invalid_parameters_are_named() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    server.add_org("acme", None);
    let token = login.token("acme", "backup:view");
    for (query, key) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=Li4v", "cursor"),
        ("q=%00", "q"),
        ("org=acme", "org"),
        ("Parent=acme", "Parent"),
        ("q=a&q=b", "q"),
    ] {
        let path = format!("/api/organizations?{query}");
        server.manage("GET", &path).bearer(&token).send().is_validation_error(key);
    }
}

#[test]
fn page_reads_the_systems_of_its_organizations_only() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    server.add_org("acme", None);
    add(&server, "SELECT 'o-' || n, 'name', 'acme' FROM generate_series(1, 300) AS n");
    server.db.execute(
        "INSERT INTO systems (id, system_key, org_id, name, secret_sha256) \
         SELECT gen_random_uuid(), 'key-' || o || '-' || n, 'o-' || o, 'fw', sha256('x') \
         FROM generate_series(1, 300) AS o, generate_series(1, 10) AS n; ANALYZE",
    );
    let token = login.token("acme", "backup:view");
    let rows = || {
        server.db.number(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'systems'",
        )
    };
    server.db.execute("SELECT pg_stat_force_next_flush()");
    let before = rows();
    let data = server.manage("GET", "/api/organizations?limit=5").bearer(&token).send().status(200).data();
    assert_eq!(data["organizations"][1]["usage"]["systems"], 10);
    // The statistics of a session are written with a delay.
    crate::harness::assert_eventually("rows are counted", crate::harness::TIMEOUT, || {
        server.manage("GET", "/api/organizations?limit=5").bearer(&token).send().status(200);
        rows() > before
    });
    let read = rows() - before;
    assert!(read < 2000, "{read} of 3000 rows were read for 40 systems at a time");
}
