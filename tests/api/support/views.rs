//! What support staff see with SQL, and what they do not see.

use std::process::Command;

use crate::harness::{Server, bytes};

#[test]
fn freshness_view_shows_never_fresh_or_late() {
    let server = Server::start();
    let system = server.system();
    let freshness = || server.db.one("SELECT freshness FROM support_systems");
    assert_eq!(freshness(), "never");
    server.store(&system, b"x");
    assert_eq!(freshness(), "fresh");
    let age = |hours: &str| {
        server.db.execute(&format!("UPDATE backups SET uploaded_at = now() - interval '{hours}'"));
    };
    age("25 hours 59 minutes");
    assert_eq!(freshness(), "fresh");
    age("26 hours 1 minute");
    assert_eq!(freshness(), "late");
    assert!(server.db.holds("(SELECT last_backup_age > interval '26 hours' FROM support_systems)"));
    server.store(&system, b"x");
    assert_eq!(freshness(), "fresh", "the newest counts");
}

#[test]
fn systems_view_shows_backups_and_refusals() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "2")]);
    let system = server.system();
    let sibling = server.add_system(&system.org, "of the same organization");
    server.store(&system, &bytes(100));
    server.store(&system, &bytes(23));
    server.put(&system, b"x").is_rate_limited();
    server.store(&sibling, b"the organization's next transaction writes the refusal down");
    let column = |name: &str| {
        server.db.one(&format!("SELECT {name} FROM support_systems WHERE system_key = '{}'", system.key))
    };
    assert_eq!(column("backups_kept"), "2");
    assert_eq!(column("bytes_kept"), "123");
    assert_eq!(column("org_id"), system.org);
    assert_eq!(column("org_name"), "A tenant");
    assert_eq!(column("system_id"), system.id);
    assert_eq!(column("pending_request"), "false");
    assert_eq!(column("last_refusal_reason"), "rate");
    let newest = server.list(&system)[0]["uploaded_at"].as_str().expect("a time").to_owned();
    assert_eq!(
        column(&format!("abs(extract(epoch FROM last_backup_at - '{newest}'::timestamptz)) < 1")),
        "true"
    );
}

#[test]
fn organizations_view_shows_the_totals() {
    let server = Server::start();
    let system = server.system_with_quota(1000);
    let _open = crate::harness::RawClient::upload(&server, &system, &["Content-Length: 50"]);
    crate::harness::assert_eventually("admitted", crate::harness::TIMEOUT, || server.receiving() == 1);
    server.store(&system, &bytes(200));
    let columns = server
        .db
        .one("SELECT concat_ws(' ', used_bytes, reserved_bytes, quota_bytes, percent) FROM support_orgs");
    assert_eq!(columns, "200 50 1000 25.0");
    let default = server.system();
    let quota = format!("SELECT quota_bytes FROM support_orgs WHERE org_id = '{}'", default.org);
    assert_eq!(server.db.number(&quota), 107_374_182_400);
    server.cli(["org", "set-quota", &default.org, "none"]).exits(0);
    assert_eq!(server.db.one(&quota), "null");
}

#[test]
fn events_view_shows_the_latest_events() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(100));
    server.fetch(&system, &id).send().status(200);
    server.delete(&system, &id).status(200);
    let kinds = || server.db.all("SELECT kind FROM support_recent_events WHERE backup_id IS NOT NULL");
    crate::harness::assert_eventually("all three exist", crate::harness::TIMEOUT, || kinds().len() == 3);
    assert_eq!(kinds(), ["deleted", "downloaded", "uploaded"], "newest first");
    let from =
        server.db.one("SELECT DISTINCT remote_addr FROM support_recent_events WHERE backup_id IS NOT NULL");
    assert_eq!(from, "127.0.0.1");
}

/// Runs the script as an operator does, after the migration.
fn create_support_role(server: &Server) {
    let script = crate::common::repository().join("deploy/postgres/support.sql");
    let applied = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&script)
        .arg(server.db.url())
        .output()
        .expect("these tests need psql");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
}

#[test]
fn views_replaced_by_a_migration_stay_readable_for_support() {
    let server = Server::start();
    create_support_role(&server);
    server.kill();
    let folder = crate::common::repository().join("migrations/2026-11-26-000300_unbroken_leases");
    for script in ["down.sql", "up.sql"] {
        server.db.execute(&std::fs::read_to_string(folder.join(script)).expect("a script"));
        for view in ["support_systems", "support_orgs", "support_recent_events"] {
            let granted = format!("has_table_privilege('support', '{view}', 'SELECT')");
            assert!(server.db.holds(&granted), "{view} after {script}");
        }
    }
}

#[test]
fn support_role_reads_only_the_views() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, b"x");
    for _ in 0..2 {
        create_support_role(&server);
    }
    let as_support =
        |sql: &str| server.db.try_execute(&format!("BEGIN; SET LOCAL ROLE support; {sql}; ROLLBACK;"));
    for view in ["support_systems", "support_orgs", "support_recent_events"] {
        as_support(&format!("SELECT * FROM {view}")).unwrap_or_else(|e| panic!("{view}: {e}"));
    }
    for forbidden in [
        "SELECT secret_sha256 FROM systems",
        "SELECT * FROM systems",
        "UPDATE systems SET name = 'x'",
        "INSERT INTO organizations (id, name) VALUES ('x', 'x')",
        "DELETE FROM backups",
        "DELETE FROM backup_events",
        "UPDATE org_usage SET stored_bytes = 0",
        "TRUNCATE backups",
        "CREATE TABLE mine (x int)",
    ] {
        assert!(as_support(forbidden).is_err(), "support may: {forbidden}");
        let _ = server.db.try_execute("ROLLBACK");
    }
}
