//! The process that fills in the facts after an upgrade is killed: the next one fills them in.

use crate::crash_fixture::CrashFixture;

#[test]
fn facts_that_an_upgrade_has_not_filled_in_are_filled_in_by_the_next_process() {
    let mut fixture = CrashFixture::new();
    let refused = fixture.server.add_system(&fixture.system.org, "refused before the upgrade");
    fixture.server.store(&refused, b"an older configuration");
    assert!(fixture.server.stop_gracefully().success());
    let db = &fixture.server.db;
    db.execute(&format!(
        "UPDATE systems SET last_backup_id = NULL, last_backup_at = NULL, backups_kept = 0, bytes_kept = 0, whole_backup_id = NULL,
             whole_backup_at = NULL, last_seen_at = NULL, last_refusal_at = NULL;
         INSERT INTO backup_events (kind, org_id, system_id, actor, detail)
             VALUES ('refused', '{}', '{}', 'service', '{{\"reason\": \"rate\"}}');
         UPDATE service_defaults SET facts_missing = true",
        refused.org, refused.id
    ));
    fixture.assert_command_killed(&["migrate"], "kill facts.step");
    assert!(db.holds("(SELECT facts_missing FROM service_defaults)"));
    fixture.server.cli(["audit"]).exits(1);
    fixture.restart();
    fixture.server.audit_is_clean();
    let status = |id: &str| {
        fixture.server.db.one(&format!("SELECT status FROM support_systems WHERE system_id = '{id}'"))
    };
    assert_eq!((status(&fixture.system.id), status(&refused.id)), ("fresh".to_owned(), "refused".to_owned()));
    assert!(fixture.server.db.holds("NOT (SELECT facts_missing FROM service_defaults)"));
    assert!(fixture.server.db.holds("(SELECT bool_and(last_seen_at IS NOT NULL) FROM systems)"));
}
