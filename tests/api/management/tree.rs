//! A token is valid for its organization and for all below it.

use crate::harness::{Login, Server, bytes};

/// A server with `acme`, below it `north`, below that `branch`; and `globex` with `south` below it.
fn server(login: &Login) -> Server {
    let server = Server::builder().login(login).start();
    for (org, parent) in
        [("acme", "none"), ("north", "acme"), ("branch", "north"), ("globex", "none"), ("south", "globex")]
    {
        server.add_org(org, None);
        server.cli(["org", "set-parent", org, parent]).exits(0);
    }
    server
}

#[test]
fn token_is_valid_for_the_systems_below_its_organization_and_no_others() {
    let login = Login::new();
    let server = server(&login);
    let scope = "backup:view backup:create backup:delete";
    let orgs = ["acme", "north", "branch", "globex", "south"];
    let systems = orgs.map(|org| server.add_system(org, org));
    let backups = systems.each_ref().map(|system| server.store(system, &bytes(10)));
    let visible: [(&str, &[&str]); 6] = [
        ("acme", &["acme", "north", "branch"]),
        ("north", &["north", "branch"]),
        ("branch", &["branch"]),
        ("globex", &["globex", "south"]),
        ("south", &["south"]),
        ("nobody", &[]),
    ];
    for (org, seen) in visible {
        let token = login.token(org, scope);
        for (system, backup) in systems.iter().zip(&backups) {
            let status = if seen.contains(&system.org.as_str()) { 200 } else { 404 };
            for path in [
                format!("/api/systems/{}/backups", system.id),
                format!("/api/systems/{}/backups/{backup}/download", system.id),
                format!("/api/systems/{}/requests", system.id),
                format!("/backup/{}", system.id),
                format!("/backup/{}/{backup}", system.id),
            ] {
                server.manage("GET", &path).bearer(&token).send().status(status);
            }
            let path = format!("/backup/{}", system.id);
            let status = if status == 200 { 202 } else { 404 };
            server.manage("POST", &path).bearer(&token).body("").send().status(status);
        }
    }
    let token = login.token("acme", scope);
    let path = format!("/api/systems/{}/backups/{}", systems[2].id, backups[2]);
    server.manage("DELETE", &path).bearer(&token).send().status(200);
    let actor = "SELECT concat_ws(' ', org_id, actor) FROM backup_events WHERE kind = 'deleted'";
    assert_eq!(server.db.all(actor), ["branch portal@example.org"]);
}

#[test]
fn moved_organization_is_seen_by_its_new_parent_and_no_longer_by_the_old_one() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("branch", "fw-01");
    let path = format!("/api/systems/{}/backups", system.id);
    let see = |org: &str| server.manage("GET", &path).bearer(login.token(org, "backup:view")).send().status;
    assert_eq!([see("acme"), see("north"), see("globex"), see("south")], [200, 200, 404, 404]);
    server.cli(["org", "set-parent", "north", "south"]).exits(0);
    assert_eq!([see("acme"), see("north"), see("globex"), see("south")], [404, 200, 200, 200]);
    server.cli(["org", "set-parent", "branch", "none"]).exits(0);
    assert_eq!([see("acme"), see("north"), see("globex"), see("branch")], [404, 404, 404, 200]);
}

#[test]
fn token_of_a_deleted_organization_sees_nothing() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("branch", "fw-01");
    server.cli(["org", "set-parent", "north", "none"]).exits(0);
    server.cli(["org", "delete", "acme", "--yes"]).exits(0);
    let path = format!("/api/systems/{}/backups", system.id);
    server.manage("GET", &path).bearer(login.token("acme", "backup:view")).send().status(404);
    server.manage("GET", &path).bearer(login.token("acme", "backup:view backup:admin")).send().status(200);
}

/// A system is found together with the organizations above its own: one query, as before there was a tree.
#[test]
fn visibility_costs_no_query_of_its_own() {
    let login = Login::new();
    let server = server(&login);
    let system = server.add_system("branch", "fw-01");
    let brief = server.db.explain(&format!(
        "SELECT org_id, org_and_above(systems.org_id), name FROM systems WHERE id = '{}' AND state <> 'destroying'",
        system.id
    ));
    assert!(brief.contains("systems_pkey"), "{brief}");
}
