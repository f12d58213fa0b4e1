//! `GET /api/organizations/{id}/usage` and `strongroom usage`.

use super::server;
use crate::harness::Login;

/// Adds up three days of a month by hand, the last of which was not measured.
const DAYS: &str = "INSERT INTO usage_days_added (day, measured) VALUES
        ('2026-04-01', true), ('2026-04-02', true), ('2026-04-30', false), ('2026-05-01', true);
    INSERT INTO usage_days (day, org_id, uploads, refusals, failures, downloads, bytes_in, bytes_kept, systems, suspended, damaged,
        refused, never, silent, late, fresh) VALUES
        ('2026-04-01', 'acme', 10, 1, 2, 3, 100, 1000, 2, 0, 0, 0, 0, 0, 1, 1),
        ('2026-04-02', 'acme', 20, 0, 0, 0, 200, 3000, 4, 0, 0, 0, 0, 0, 1, 3),
        ('2026-04-30', 'acme', 1, 0, 0, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('2026-04-01', 'north', 5, 0, 0, 0, 50, 9000, 3, 0, 0, 0, 0, 0, 0, 3),
        ('2026-04-02', 'north', 5, 0, 0, 0, 50, 1000, 1, 0, 0, 0, 0, 0, 0, 1),
        ('2026-04-01', 'globex', 1000, 0, 0, 0, 1000, 1000, 1, 0, 0, 0, 0, 0, 0, 1),
        ('2026-05-01', 'acme', 1000, 0, 0, 0, 1000, 1000, 1, 0, 0, 0, 0, 0, 0, 1);";

#[test]
fn usage_of_a_month_is_that_of_the_organization_and_of_its_tree() {
    let login = Login::new();
    let (server, _) = server(&login);
    server.db.execute(DAYS);
    let get =
        |org: &str, path: &str| server.manage("GET", path).bearer(login.token(org, "backup:view")).send();
    let data = get("acme", "/api/organizations/acme/usage?month=2026-04").status(200).data();
    let is = |part: &str, name: &str, expected: i64| {
        assert_eq!(data[part][name], expected, "{part}.{name}: {data}");
    };
    assert_eq!((&data["org_id"], &data["month"]), (&"acme".into(), &"2026-04".into()));
    assert_eq!((&data["days"], &data["complete_days"]), (&30.into(), &3.into()));
    for (name, own, tree) in [
        ("uploads", 31, 41),
        ("refusals", 1, 1),
        ("failures", 2, 2),
        ("downloads", 3, 3),
        ("bytes_in", 301, 401),
        ("bytes_kept_average", 2000, 7000),
        ("bytes_kept_maximum", 3000, 10_000),
        ("byte_days", 4000, 14_000),
        ("systems_maximum", 4, 5),
        ("measured_days", 2, 2),
    ] {
        is("own", name, own);
        is("tree", name, tree);
    }
    let empty = get("acme", "/api/organizations/north/usage?month=2025-01").status(200).data();
    assert_eq!((&empty["complete_days"], &empty["own"]["uploads"]), (&0.into(), &0.into()));
    assert!(empty["own"]["bytes_kept_average"].is_null(), "{empty}");
    get("acme", "/api/organizations/acme/usage").status(200);
    for (org, path, status) in [
        ("north", "/api/organizations/acme/usage", 404),
        ("globex", "/api/organizations/acme/usage", 404),
        ("acme", "/api/organizations/nobody/usage", 404),
        ("acme", "/api/organizations/acme/usage?month=2026-13", 400),
        ("acme", "/api/organizations/acme/usage?month=april", 400),
        ("acme", "/api/organizations/acme/usage?Month=2026-04", 400),
    ] {
        get(org, path).status(status);
    }
}

#[test]
fn command_shows_the_usage_of_a_month_for_people_and_for_programs() {
    let login = Login::new();
    let (server, _) = server(&login);
    server.db.execute(DAYS);
    let all = server.cli(["usage", "--month", "2026-04"]).exits(0);
    for word in ["globex", "total", "2026-04: 3 of 30 days are added up", "KEPT (AVERAGE)"] {
        all.says(word);
    }
    let json = |arguments: &[&str]| {
        let all = [&["usage", "--month", "2026-04", "--json"], arguments].concat();
        crate::harness::run(server.command([]).args(all)).exits(0).json()
    };
    let uploads = |document: &serde_json::Value| document["total"]["uploads"].as_i64();
    assert_eq!(uploads(&json(&[])), Some(1041));
    assert_eq!(uploads(&json(&["--org", "acme"])), Some(31));
    let tree = json(&["--org", "acme", "--tree"]);
    assert_eq!(uploads(&tree), Some(41));
    assert_eq!(tree["organizations"].as_array().map(Vec::len), Some(2));
    assert_eq!(tree["total"]["bytes_kept_average"], 7000);
    server.cli(["usage", "--org", "nobody"]).exits(1);
    server.cli(["usage", "--tree"]).exits(2);
    server.cli(["usage", "--month", "2026-4"]).exits(2);
}

#[test]
fn usage_of_a_deleted_organization_is_shown_to_operators_and_administrators() {
    let login = Login::new();
    let (server, _) = server(&login);
    server.db.execute(DAYS);
    let system = server.db.one("SELECT id FROM systems WHERE org_id = 'globex'");
    server.cli(["system", "destroy", &system, "--yes"]).exits(0);
    server.cli(["org", "delete", "globex", "--yes"]).exits(0);
    for arguments in [&["--org", "globex"][..], &["--org", "globex", "--tree"]] {
        let all = [&["usage", "--month", "2026-04", "--json"], arguments].concat();
        let report = crate::harness::run(server.command([]).args(all)).exits(0).json();
        assert_eq!(report["total"]["uploads"], 1000, "{arguments:?}: {report}");
    }
    let path = "/api/organizations/globex/usage?month=2026-04";
    let admin = login.token("acme", "backup:view backup:admin");
    let data = server.manage("GET", path).bearer(admin).send().status(200).data();
    assert_eq!((&data["own"]["uploads"], &data["tree"]["uploads"]), (&1000.into(), &1000.into()));
    for org in ["acme", "globex"] {
        server.manage("GET", path).bearer(login.token(org, "backup:view")).send().status(404);
    }
}
