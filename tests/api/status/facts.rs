//! The facts in the rows of systems: whoever changes the backups, they follow; and the audit finds each that does not.

use super::{shown, status};
use crate::harness::{Server, bytes};

#[test]
fn facts_follow_uploads_pruning_and_deletions() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let system = server.system();
    let facts = || shown(&server, &system, "concat_ws(' ', backups_kept, bytes_kept)");
    let newest = || server.db.one("SELECT last_backup_id FROM systems");
    let uuid = |id: &str| id.split('.').next().expect("an id").to_owned();
    assert_eq!(facts(), "0 0");
    let first = server.store(&system, &bytes(10));
    assert_eq!((facts(), newest()), ("1 10".to_owned(), uuid(&first)));
    let second = server.store(&system, &bytes(5));
    let third = server.store(&system, &bytes(7));
    assert_eq!((facts(), newest()), ("2 12".to_owned(), uuid(&third)));
    server.delete(&system, &third).status(200);
    assert_eq!((facts(), newest()), ("1 5".to_owned(), uuid(&second)));
    server.cli(["backup", "delete", &second, "--yes"]).exits(0);
    assert_eq!((facts(), newest()), ("0 0".to_owned(), "null".to_owned()));
}

#[test]
fn triggers_write_the_facts_for_sessions_that_do_not() {
    let server = Server::unlimited();
    let system = server.system();
    let first = server.store(&system, &bytes(10));
    let second = server.store(&system, &bytes(5));
    server.db.execute(
        "UPDATE systems SET refused_at = now(), refused_since = now(), refused_reason = 'rate', refused_upload_at = '2000-01-01'",
    );
    // As a version without facts: the newest backup is retired, and is stored again.
    let uuid = second.split('.').next().expect("an id");
    let retire = "state = 'retired', retired_at = now(), retired_reason = 'system', purge_after = now() + interval '1 hour'";
    server.db.execute(&format!(
        "BEGIN; UPDATE backups SET {retire} WHERE id = '{uuid}';
         UPDATE org_usage SET stored_bytes = stored_bytes - 5; COMMIT"
    ));
    assert_eq!(shown(&server, &system, "concat_ws(' ', backups_kept, bytes_kept)"), "1 10");
    assert_eq!(status(&server, &system), "fresh", "a stored backup that was sent later ends the refusal");
    server.cli(["audit"]).exits(0);
    assert_eq!(server.list(&system)[0]["id"], first);
}

#[test]
fn audit_names_each_fact_that_differs_from_the_rows() {
    let server = Server::unlimited();
    let system = server.system();
    server.store(&system, b"x");
    server.skip_audit();
    for (fact, value) in [
        ("backups_kept", "7"),
        ("bytes_kept", "7"),
        ("last_backup_id", "gen_random_uuid()"),
        ("last_backup_at", "now()"),
        ("last_backup_damage", "'missing'"),
        ("whole_backup_id", "NULL"),
        ("whole_backup_at", "now()"),
        ("backup_period_in_force", "'1 hour'"),
        ("contact_period_in_force", "'1 hour'"),
    ] {
        server.db.execute(&format!("CREATE TABLE kept AS SELECT {fact} AS value FROM systems"));
        server.db.execute(&format!("UPDATE systems SET {fact} = {value}"));
        let audit = server.cli(["audit", "--json"]).exits(1).json();
        let differences = audit["differences"].as_array().expect("differences");
        assert_eq!(differences.len(), 1, "{audit}");
        assert_eq!(differences[0]["subject"], format!("system {}", system.id), "{audit}");
        let problem = differences[0]["problem"].as_str().expect("text");
        assert!(problem.starts_with(&format!("{fact} is ")), "{problem}");
        server.db.execute(&format!("UPDATE systems SET {fact} = (SELECT value FROM kept); DROP TABLE kept"));
        server.cli(["audit"]).exits(0);
    }
    server.db.execute(
        "UPDATE systems SET refused_at = now(), refused_since = now(), refused_reason = 'rate', refused_upload_at = '2000-01-01'",
    );
    assert!(server.cli(["audit"]).exits(1).stdout.contains("a backup is stored that was sent after it"));
}
