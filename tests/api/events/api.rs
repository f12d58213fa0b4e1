//! `GET /api/events` and `GET /api/systems/{id}/events`.

use crate::harness::{Answer, Login, Server, bytes};

fn get(server: &Server, login: &Login, org: &str, path: &str) -> Answer {
    server.manage("GET", path).bearer(login.token(org, "backup:view")).send()
}

/// Returns all events of a list, page by page, as KIND ORG.
fn all(server: &Server, login: &Login, org: &str, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let data = get(server, login, org, &format!("{path}{cursor}")).status(200).data();
        for event in data["events"].as_array().expect("events") {
            found.push(format!("{} {}", event["kind"], event["org_id"]).replace('"', ""));
        }
        let Some(next) = data["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

fn server(login: &Login) -> Server {
    let server = Server::builder().login(login).start();
    for (org, parent) in [("acme", "none"), ("north", "acme"), ("globex", "none")] {
        server.add_org(org, None);
        server.cli(["org", "set-parent", org, parent]).exits(0);
    }
    server
}

#[test]
fn events_of_the_tree_are_listed_newest_first_and_page_by_page() {
    let login = Login::new();
    let server = server(&login);
    let [acme, north, globex] = ["acme", "north", "globex"].map(|org| server.add_system(org, org));
    for system in [&acme, &north, &globex, &north] {
        server.store(system, &bytes(10));
    }
    let uploads = ["uploaded north", "uploaded north", "uploaded acme"];
    for limit in [1, 2, 3, 4, 200] {
        let path = format!("/api/events?kind=uploaded&limit={limit}");
        assert_eq!(all(&server, &login, "acme", &path), uploads, "limit {limit}");
    }
    assert_eq!(all(&server, &login, "acme", "/api/events?org=north&kind=uploaded"), uploads[..2]);
    assert_eq!(all(&server, &login, "globex", "/api/events?kind=uploaded"), ["uploaded globex"]);
    let path = format!("/api/systems/{}/events?limit=1", north.id);
    assert_eq!(
        all(&server, &login, "acme", &path),
        ["uploaded north", "uploaded north", "system_added north"]
    );
    let event = &get(&server, &login, "acme", &path).data()["events"][0];
    assert_eq!((&event["system_key"], &event["actor"]), (&north.key.as_str().into(), &"system".into()));
    assert_eq!((&event["detail"]["size"], &event["system_id"]), (&10.into(), &north.id.as_str().into()));
    assert!(event["id"].is_u64() && event["at"].is_string() && event["backup_id"].is_string(), "{event}");
    // An event that is written between two pages does not move the second one.
    let first = get(&server, &login, "acme", "/api/events?kind=uploaded&limit=2").data();
    server.store(&acme, &bytes(10));
    let next = first["next_cursor"].as_str().expect("a cursor");
    let path = format!("/api/events?kind=uploaded&cursor={next}");
    assert_eq!(all(&server, &login, "acme", &path), ["uploaded acme"]);
    server.db.execute("UPDATE backup_events SET at = at - interval '3 days' WHERE org_id = 'north'");
    assert_eq!(all(&server, &login, "acme", "/api/events?org=north&since=2d"), Vec::<String>::new());
}

#[test]
fn events_of_foreign_organizations_and_systems_do_not_exist() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("north", "fw");
    for (org, path, status) in [
        ("north", "/api/events?org=acme".to_owned(), 404),
        ("acme", "/api/events?org=globex".to_owned(), 404),
        ("acme", "/api/events?org=nobody".to_owned(), 404),
        ("globex", format!("/api/systems/{}/events", system.id), 404),
        ("acme", format!("/api/systems/{}/events", system.id), 200),
        ("acme", "/api/systems/018f3a5c-7b1e-7c3d-9a2b-0123456789ab/events".to_owned(), 404),
        ("acme", "/api/systems/fw/events".to_owned(), 404),
        ("acme", "/api/events?kind=upload".to_owned(), 400),
        ("acme", "/api/events?since=yesterday".to_owned(), 400),
        ("acme", "/api/events?since=0001-01-01".to_owned(), 400),
        ("acme", "/api/events?since=-9999-01-01".to_owned(), 400),
        ("acme", "/api/events?org=&cursor=".to_owned(), 200),
        ("acme", "/api/organizations?parent=&cursor=".to_owned(), 200),
        ("acme", "/api/systems/trend?org=".to_owned(), 200),
        ("acme", "/api/systems/totals?org=".to_owned(), 200),
        ("acme", "/api/systems?org=&cursor=".to_owned(), 200),
        ("acme", "/api/events?limit=0".to_owned(), 400),
        ("acme", "/api/events?cursor=x".to_owned(), 400),
        ("acme", format!("/api/systems/{}/events?org=acme", system.id), 400),
    ] {
        let answer = get(&server, &login, org, &path);
        assert_eq!(answer.status, status, "{org} {path}: {answer}");
    }
    server.manage("GET", "/api/events").bearer(login.token("acme", "backup:create")).send().status(403);
    server.manage("GET", "/api/events").send().status(401);
}

#[test]
fn destroyed_system_keeps_its_events() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("north", "fw");
    server.store(&system, &bytes(10));
    server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    let path = format!("/api/systems/{}/events?kind=uploaded", system.id);
    let events = get(&server, &login, "acme", &path).status(200).data();
    assert_eq!(events["events"][0]["system_key"], system.key.as_str(), "{events}");
    get(&server, &login, "globex", &path).status(404);
}
