//! `strongroom events`.

use crate::harness::{Output, Server, TIMEOUT, assert_eventually, bytes, run};

fn events(server: &Server, arguments: &[&str]) -> Output {
    run(server.command(["events"]).args(arguments))
}

/// Returns the kinds of the listed events, in their order.
fn kinds(server: &Server, arguments: &[&str]) -> Vec<String> {
    let listed = run(server.command(["events", "--json"]).args(arguments)).exits(0).json();
    let all = listed["events"].as_array().expect("events");
    all.iter().map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
}

#[test]
fn events_are_listed_newest_first_for_people_and_for_programs() {
    let server = Server::start();
    let system = server.system();
    let id = server.upload(&system).header("x-filename", "a.gpg").body(bytes(2048)).send().id();
    server.delete(&system, &id).status(200);
    server.cli(["org", "set-quota", &system.org, "none"]).exits(0);
    let all = ["quota_set", "deleted", "uploaded", "system_added", "org_added"];
    assert_eq!(kinds(&server, &[]), all);
    let listed = events(&server, &[]).exits(0);
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert!(lines[0].trim().starts_with("TIME") && lines[0].trim().ends_with("WHAT"), "{listed:?}");
    for word in
        ["from default to none", "127.0.0.1", "a.gpg, 2.0 KiB, backup 0", "5 events within the last 24 hours"]
    {
        listed.says(word);
    }
    assert!(!listed.stdout.contains('{'), "words instead of JSON: {listed:?}");
    let document = run(server.command(["events", "--json"]).args(["--kind", "deleted"])).exits(0).json();
    let event = &document["events"][0];
    assert_eq!(event["system_key"].as_str(), Some(system.key.as_str()));
    assert_eq!(event["system_id"].as_str(), Some(system.id.as_str()));
    assert_eq!(event["org_id"].as_str(), Some(system.org.as_str()));
    assert_eq!(event["detail"]["filename"], "a.gpg");
    assert_eq!(event["actor"], "system");
    assert_eq!(event["remote_addr"], "127.0.0.1");
    assert!(id.starts_with(event["backup_id"].as_str().expect("an id")), "{event}");
    assert!(event["id"].is_u64() && event["at"].is_string(), "{event}");
}

#[test]
fn events_are_filtered_by_system_organization_kind_time_and_number() {
    let server = Server::start();
    let (system, other) = (server.system(), server.system());
    server.store(&system, b"x");
    server.store(&other, b"x");
    let (key, org) = (system.key.as_str(), system.org.as_str());
    assert_eq!(kinds(&server, &["--system", key]), ["uploaded", "system_added"]);
    assert_eq!(kinds(&server, &["--system", &system.id]), ["uploaded", "system_added"]);
    assert_eq!(kinds(&server, &["--org", org]), ["uploaded", "system_added", "org_added"]);
    assert_eq!(kinds(&server, &["--kind", "uploaded"]), ["uploaded", "uploaded"]);
    assert_eq!(kinds(&server, &["--kind", "uploaded", "--org", org]), ["uploaded"]);
    assert_eq!(kinds(&server, &["--limit", "1"]), ["uploaded"]);
    events(&server, &["--limit", "1"]).exits(0).says("there are more without --limit");
    events(&server, &["--limit", "6"]).exits(0).says("6 events within the last 24 hours");
    server.db.execute("UPDATE backup_events SET at = at - interval '3 days' WHERE kind = 'uploaded'");
    assert_eq!(kinds(&server, &["--kind", "uploaded"]), Vec::<String>::new());
    events(&server, &["--kind", "uploaded"])
        .exits(0)
        .says("no events within the last 24 hours: --since 7d shows older ones");
    assert_eq!(kinds(&server, &["--kind", "uploaded", "--since", "4d"]).len(), 2);
    let before = server.db.one("SELECT to_char(now() - interval '4 days', 'YYYY-MM-DD')");
    assert_eq!(kinds(&server, &["--kind", "uploaded", "--since", &before]).len(), 2);
    for (wrong, code, word) in [
        (["--kind", "upload"], 2, "uploaded"),
        (["--since", "yesterday"], 2, "24h"),
        (["--limit", "0"], 2, "1 or more"),
        (["--system", "nobody"], 1, "nobody"),
        (["--org", "nobody"], 1, "nobody"),
    ] {
        let refused = events(&server, &wrong).exits(code);
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
}

/// Adds events of several organizations, in more pages than one.
fn add_history(server: &Server) {
    server.db.execute(
        "INSERT INTO organizations (id, name) SELECT 'org' || n, 'A tenant' FROM generate_series(1, 300) n;
         INSERT INTO org_usage (org_id) SELECT id FROM organizations;
         INSERT INTO systems (id, system_key, org_id, name, secret_sha256)
             SELECT gen_random_uuid(), o.id || '-' || n, o.id, 'fw', sha256('x') FROM organizations o, generate_series(1, 5) n;
         INSERT INTO backup_events (at, kind, org_id, system_id, actor)
             SELECT now() - n * interval '6 hours', CASE n % 3 WHEN 0 THEN 'refused' ELSE 'uploaded' END, s.org_id, s.id, 'system'
             FROM systems s, generate_series(0, 40) n ORDER BY n DESC;
         ANALYZE",
    );
}

#[test]
fn long_history_is_listed_page_by_page_without_gaps() {
    let server = Server::start();
    add_history(&server);
    let listed = server.cli(["events", "--json", "--since", "60d"]).exits(0).json();
    let ids: Vec<u64> =
        listed["events"].as_array().expect("events").iter().filter_map(|e| e["id"].as_u64()).collect();
    assert_eq!(ids.len(), 1500 * 41);
    let expected = server.db.all("SELECT id FROM backup_events ORDER BY at DESC, id DESC");
    assert!(ids.iter().map(u64::to_string).eq(expected), "each once, newest first");
    assert_eq!(listed["more"], false);
}

/// Waits for the end of the program's sessions: they write their statistics when they end.
fn sessions_have_ended(server: &Server) {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strongroom' AND datname = current_database()";
    assert_eventually("the sessions have ended", TIMEOUT, || server.db.number(sessions) == 0);
}

#[test]
fn events_are_found_by_index() {
    let server = Server::start();
    // Its tasks read the history as well.
    server.stop_gracefully();
    sessions_have_ended(&server);
    add_history(&server);
    let table = |column: &str| {
        format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'backup_events_first'")
    };
    let numbers = || (server.db.number(&table("seq_scan")), server.db.number(&table("idx_scan")));
    for arguments in [
        &["--system", "org7-3"][..],
        &["--system", "org7-3", "--kind", "refused", "--since", "10d"],
        &["--org", "org7"],
        &["--org", "org7", "--limit", "5", "--since", "60d"],
        &["--kind", "refused"],
        &[],
    ] {
        let before = numbers();
        events(&server, arguments).exits(0);
        assert_eventually("the statistics are there", TIMEOUT, || numbers().1 > before.1);
        assert_eq!(numbers().0, before.0, "the whole table is read: {arguments:?}");
    }
}

#[test]
fn rare_events_are_found_without_reading_the_others() {
    let server = Server::start();
    server.stop_gracefully();
    sessions_have_ended(&server);
    add_history(&server);
    server.db.execute(
        "INSERT INTO backup_events (at, kind, org_id, actor)
             SELECT now() - n * interval '3 days', 'quota_set', 'org7', 'operator' FROM generate_series(0, 2) n;
         ANALYZE",
    );
    let read = || {
        server.db.number(
            "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables
             WHERE relname LIKE 'backup\\_events\\_%'",
        )
    };
    for arguments in
        [&["--kind", "quota_set"][..], &["--kind", "quota_set", "--org", "org7"], &["--kind", "org_moved"]]
    {
        let arguments = [arguments, &["--since", "60d"]].concat();
        let (before, listed) = (read(), kinds(&server, &arguments));
        assert_eq!(listed.len(), if arguments[1] == "quota_set" { 3 } else { 0 }, "{arguments:?}");
        sessions_have_ended(&server);
        let rows = read() - before;
        assert!(rows < 1000, "{rows} of 61,500 rows were read: {arguments:?}");
    }
}

#[test]
fn limit_of_exactly_all_events_leaves_none_out() {
    let server = Server::start();
    server.db.execute(
        "INSERT INTO backup_events (kind, org_id, actor) SELECT 'quota_set', 'acme', 'operator' FROM generate_series(1, 1000)",
    );
    for (limit, more) in [("999", true), ("1000", false), ("1001", false)] {
        let listed = server.cli(["events", "--json", "--limit", limit]).exits(0).json();
        assert_eq!(listed["more"], more, "of 1000 events, at most {limit}");
    }
}
