//! The cost of a query by support staff: as many rows as it shows, however long the history is.

use crate::harness::{Database, Server};

/// Adds many organizations with many events each, most of them old.
fn add_history() -> Server {
    let server = Server::start();
    server.db.execute(
        "INSERT INTO organizations (id, name) SELECT 'org' || n, 'A tenant' FROM generate_series(1, 4000) n;
         INSERT INTO org_usage (org_id) SELECT id FROM organizations;
         INSERT INTO systems (id, system_key, org_id, name, secret_sha256)
             SELECT gen_random_uuid(), o.id || '-' || n, o.id, 'fw', sha256('x') FROM organizations o, generate_series(1, 5) n;
         INSERT INTO backup_events (at, kind, org_id, system_id, actor)
             SELECT now() - n * interval '6 hours', CASE n % 3 WHEN 0 THEN 'refused' ELSE 'uploaded' END, s.org_id, s.id, 'system'
             FROM systems s, generate_series(1, 40) n ORDER BY n DESC;
         INSERT INTO backup_requests (id, system_id, org_id, state, requested_by, expires_at)
             SELECT gen_random_uuid(), s.id, s.org_id, 'pending', 'somebody', now() FROM systems s, generate_series(1, 3) n;
         ANALYZE",
    );
    server
}

#[test]
fn events_of_an_organization_are_found_by_index() {
    let server = add_history();
    for question in [
        "SELECT * FROM support_recent_events WHERE org_id = 'org7'",
        "SELECT * FROM support_recent_events WHERE org_id = 'org7' LIMIT 20",
        "SELECT count(*) FROM support_recent_events WHERE org_id = 'org7' AND at > now() - interval '1 day'",
    ] {
        let plan = server.db.explain(question);
        assert!(
            plan.contains("backup_events_first_of_org") && !plan.contains("Seq Scan on backup_events_first"),
            "{question}\n{plan}"
        );
        assert!(
            !plan.contains("Rows Removed by Filter"),
            "the query reads more rows than it shows: {question}\n{plan}"
        );
    }
}

#[test]
fn latest_events_are_found_by_their_time() {
    let server = add_history();
    for question in [
        "SELECT * FROM support_recent_events LIMIT 20",
        "SELECT * FROM support_recent_events WHERE at > now() - interval '7 hours'",
    ] {
        let plan = server.db.explain(question);
        assert!(
            plan.contains("backup_events_first_at") && !plan.contains("Seq Scan on backup_events_first"),
            "{question}\n{plan}"
        );
    }
}

#[test]
fn system_and_its_events_are_found_by_key() {
    let server = add_history();
    for question in [
        "SELECT * FROM support_recent_events WHERE system_key = 'org7-3'",
        "SELECT * FROM support_systems WHERE system_key = 'org7-3'",
        "SELECT * FROM support_systems WHERE org_id = 'org7'",
        "SELECT * FROM support_systems WHERE org_id = 'org7' AND freshness = 'never'",
        "SELECT * FROM support_systems s JOIN support_recent_events e USING (system_id) WHERE s.system_key = 'org7-3'",
    ] {
        let plan = server.db.explain(question);
        // The last question reads the events of all systems, and their names with them.
        let is_join = question.contains(" JOIN ");
        let tables = ["backup_events_first", "backup_requests", "systems"];
        for table in tables.iter().take(if is_join { 2 } else { 3 }) {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{question}\n{plan}");
        }
    }
}

#[test]
fn totals_of_an_organization_are_found_without_reading_all_systems() {
    let server = add_history();
    let plan = server.db.explain("SELECT * FROM support_orgs WHERE org_id = 'org7'");
    assert!(!plan.contains("Seq Scan on systems") && !plan.contains("Seq Scan on organizations"), "{plan}");
}

#[test]
fn views_do_not_use_clock_timestamp() {
    let database = Database::new();
    let moving = database.all(
        "SELECT viewname FROM pg_views WHERE schemaname = 'public' AND definition LIKE '%clock_timestamp%'",
    );
    assert_eq!(moving, Vec::<String>::new());
}
