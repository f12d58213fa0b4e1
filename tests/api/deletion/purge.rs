//! Retired backups are purged in bounded steps, many at a time, and one that can't be deleted does not delay the
//! others.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{Cluster, Database, Server, TIMEOUT, assert_eventually};

/// More than one step of the purger.
const BACKLOG: usize = 120;

/// Starts and kills a server that has this many backups to purge.
fn with_a_backlog() -> Server {
    let server = Server::builder().set("BACKUP_SWEEP_INTERVAL", 3600).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.kill();
    retire(&server, &id, BACKLOG);
    for key in keys(&server) {
        server.store.write(&key, b"retired");
    }
    server
}

/// Adds this many rows of retired backups, like the stored one.
fn retire(server: &Server, id: &str, rows: usize) {
    let uuid = id.strip_suffix(".bin").expect("no name, no extension");
    // The statistics are of a table with hardly any retired rows.
    server.db.execute(&format!(
        "ALTER TABLE backups SET (autovacuum_enabled = off);
         ANALYZE backups;
         INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, admitted_at,
             want_bytes, reserved_bytes, retired_at, retired_reason, purge_after)
         SELECT new, system_id, org_id, replace(object_key, '{uuid}', new::text), extension, 'retired', filename,
             mimetype, admitted_at, 0, 0, now(), 'slots', now()
         FROM backups, LATERAL (
             SELECT overlay(gen_random_uuid()::text PLACING '7' FROM 15)::uuid AS new
             FROM generate_series(1, {rows})) AS more"
    ));
}

fn keys(server: &Server) -> Vec<String> {
    server.db.all("SELECT object_key FROM backups WHERE state = 'retired' ORDER BY object_key")
}

/// Records how many rows each statement of this kind changes.
fn record_statements(server: &Server, kind: &str, rows: &str) {
    server.db.execute(&format!(
        "CREATE TABLE {kind}s (rows bigint);
         CREATE FUNCTION note_{kind}() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO {kind}s SELECT count(*) FROM touched; RETURN NULL; END';
         CREATE TRIGGER note_{kind} AFTER {kind} ON backups REFERENCING {rows} TABLE AS touched
             FOR EACH STATEMENT EXECUTE FUNCTION note_{kind}()"
    ));
}

#[test]
fn backlog_is_purged_in_steps_with_stale_planner_statistics() {
    let server = with_a_backlog();
    record_statements(&server, "update", "NEW");
    record_statements(&server, "delete", "OLD");
    let swept = server.cli(["sweep", "--json"]).exits(0).json();
    assert_eq!(swept["backups_purged"], BACKLOG, "{swept}");
    assert_eq!(server.objects().len(), 1, "stored backups stay");
    for kind in ["updates", "deletes"] {
        let steps = server.db.all(&format!("SELECT rows FROM {kind} WHERE rows > 0 ORDER BY rows DESC"));
        assert_eq!(steps, ["50", "50", "20"], "{kind}: each batch claims and deletes at most 50 rows");
    }
}

#[test]
fn uploads_do_not_visit_dead_rows_before_the_next_vacuum() {
    let gone = 2_000;
    // A cluster of its own: while any database of a cluster has an open transaction that has written and is
    // older than the deletion, Postgres does not mark index entries as dead.
    let Some(cluster) = Cluster::start_new() else { return };
    let database = Arc::new(Database::at(&cluster.url()));
    let server = Server::builder().database(&database).no_rate_limit().start();
    let system = server.system();
    let id = server.store(&system, b"x");
    retire(&server, &id, gone);
    server.db.execute(
        "DELETE FROM backups WHERE state = 'retired';
         -- What else there is in a vault, for Postgres to choose its plans by.
         INSERT INTO systems (id, system_key, org_id, name, secret_sha256, state)
         SELECT gen_random_uuid(), 'other' || n, org_id, name, secret_sha256, 'suspended'
         FROM systems, generate_series(1, 500) AS n;
         INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, admitted_at,
             want_bytes, reserved_bytes, retired_at, retired_reason, purge_after)
         SELECT gen_random_uuid(), other.id, b.org_id, b.object_key || n || other.id, b.extension, 'retired', b.filename,
             b.mimetype, b.admitted_at, 0, 0, now(), 'slots', now() + interval '1 day'
         FROM generate_series(1, 10) AS n, systems AS other JOIN backups AS b ON b.org_id = other.org_id
         WHERE other.state = 'suspended';
         ANALYZE",
    );
    let visited = || {
        server.db.wait_until_alone();
        server
            .db
            .number("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'backups_of_system'")
    };
    server.store(&system, b"x");
    server.stop_gracefully();
    let first = visited();
    assert!(first >= i64::try_from(gone).expect("few"), "{first}: the first upload finds them by this index");
    let again = server.sibling();
    for _ in 0..5 {
        again.store(&system, b"x");
    }
    again.stop_gracefully();
    let more = visited() - first;
    assert!(
        more < 500,
        "five uploads into a system of seven visited {more} entries, of {gone} that are gone"
    );
}

#[test]
fn undeletable_object_does_not_delay_other_purges() {
    needs_a_folder!();
    let server = with_a_backlog();
    // Folders in place of objects can't be deleted as files.
    let bad: Vec<_> = keys(&server).into_iter().step_by(40).collect();
    for key in &bad {
        server.store.remove(key);
        std::fs::create_dir_all(server.store.path().join(key).join("x")).expect("make a folder");
    }
    let swept = server.cli(["sweep", "--json"]).exits(3).json();
    assert_eq!((&swept["backups_purged"], &swept["failed"]), (&(BACKLOG - 3).into(), &3.into()), "{swept}");
    assert_eq!(keys(&server), bad);
    for key in &bad {
        std::fs::remove_dir_all(server.store.path().join(key)).expect("remove the folder");
    }
    assert_eventually("the purges are tried again", TIMEOUT + Duration::from_secs(10), || {
        server.cli(["sweep"]).exits(0);
        keys(&server).is_empty()
    });
}
