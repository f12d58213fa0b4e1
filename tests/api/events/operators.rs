//! What operators do at the command line.

use crate::harness::Server;

#[test]
fn new_organizations_and_quotas_are_recorded() {
    let server = Server::start();
    server.cli(["org", "add", "acme", "--name", "Acme Ltd."]).exits(0);
    server.cli(["org", "set-quota", "acme", "1000"]).exits(0);
    server.cli(["org", "set-quota", "acme", "none"]).exits(0);
    server.cli(["org", "set-quota", "nobody", "none"]).exits(1);
    server.cli(["org", "add", "acme"]).exits(1);
    let recorded = "SELECT concat_ws(' ', kind, org_id, actor, detail) FROM backup_events ORDER BY id";
    assert_eq!(
        server.db.all(recorded),
        [
            r#"org_added acme operator {"name": "Acme Ltd.", "quota": "default"}"#,
            r#"quota_set acme operator {"new": 1000, "old": "default"}"#,
            r#"quota_set acme operator {"new": "none", "old": 1000}"#,
        ]
    );
}
