//! `strongroom org set-period`.

use serde_json::Value;

use crate::harness::Server;

/// Backup period and contact period in force of a system, in seconds.
fn in_force(server: &Server, system: &str) -> String {
    server.db.one(&format!(
        "SELECT concat_ws(' ', extract(epoch FROM backup_period_in_force)::bigint, \
         extract(epoch FROM contact_period_in_force)::bigint) FROM systems WHERE name = '{system}'"
    ))
}

fn history(server: &Server) -> Vec<String> {
    server.db.all("SELECT concat_ws(' ', org_id, system_id, actor, detail) FROM backup_events WHERE kind = 'period_set' ORDER BY id")
}

#[test]
fn systems_inherit_the_periods_of_their_organization() {
    let server = Server::start();
    server.add_org("acme", None);
    server.add_org("other", None);
    server.add_system("acme", "fw-01");
    server.add_system("other", "fw-02");
    assert_eq!(in_force(&server, "fw-01"), "93600");
    let set = server
        .cli(["org", "set-period", "acme", "--backup", "8d", "--contact", "90m", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&set["backup_period_seconds"], &set["contact_period_seconds"]),
        (&691_200.into(), &5400.into())
    );
    assert_eq!(in_force(&server, "fw-01"), "691200 5400");
    assert_eq!(in_force(&server, "fw-02"), "93600");
    server.add_system("acme", "fw-03");
    assert_eq!(in_force(&server, "fw-03"), "691200 5400");
    // One of them alone.
    server.cli(["org", "set-period", "acme", "--contact", "none"]).exits(0);
    assert_eq!(in_force(&server, "fw-01"), "691200");
    let shown = server.cli(["org", "show", "acme"]).exits(0);
    shown.says("8 days");
    let set = server.cli(["org", "set-period", "acme", "--backup", "default", "--json"]).exits(0).json();
    assert_eq!((&set["backup_period_seconds"], &set["contact_period_seconds"]), (&Value::Null, &Value::Null));
    assert_eq!(in_force(&server, "fw-03"), "93600");
    server.cli(["org", "show", "acme"]).exits(0).says("26 hours (default)");
    // The same again changes nothing.
    server.cli(["org", "set-period", "acme", "--backup", "default", "--contact", "none"]).exits(0);
    assert_eq!(
        history(&server),
        [
            r#"acme operator {"backup": {"new": 691200, "old": null}, "contact": {"new": 5400, "old": null}}"#,
            r#"acme operator {"contact": {"new": null, "old": 5400}}"#,
            r#"acme operator {"backup": {"new": null, "old": 691200}}"#,
        ]
    );
}

#[test]
fn invalid_periods_are_refused() {
    let server = Server::start();
    server.add_org("acme", None);
    let refused = server.cli(["org", "set-period", "acme"]).exits(2);
    assert!(refused.stderr.contains("--backup") && refused.stderr.contains("--contact"), "{refused:?}");
    for wrong in ["0s", "60", "never", "none", "-1h", "11y", "9999d", ""] {
        server.cli(["org", "set-period", "acme", "--backup", wrong]).exits(2);
    }
    for wrong in ["0s", "60", "default", "9999d"] {
        server.cli(["org", "set-period", "acme", "--contact", wrong]).exits(2);
    }
    server.cli(["org", "set-period", "acme", "--backup", "1s"]).exits(0);
    let refused = server.cli(["org", "set-period", "acmee", "--backup", "1h"]).exits(1);
    assert!(refused.stderr.contains("did you mean acme?"), "{refused:?}");
    assert_eq!(history(&server).len(), 1);
}
