//! Organizations that share a transaction: a failure of one does not affect the others.

use diesel::connection::SimpleConnection as _;
use strongroom::db::accounting::{
    Abort, AccountingPolicy, Delete, DeletedBy, Operation, OperationOutcome, OrgBatch, run_shared,
};
use strongroom::domain::ids::{BackupId, Extension, OrgId};
use strongroom::domain::rate_window::RateLimits;
use strongroom::domain::retention::Retention;
use uuid::Uuid;

use crate::harness::{Server, System, TIMEOUT, assert_eventually, sample};

#[test]
fn organizations_that_upload_at_once_share_transactions() {
    let server = Server::builder().no_rate_limit().start();
    let systems: Vec<_> = (0..12).map(|_| server.system()).collect();
    assert_eventually("two were changed by one transaction", TIMEOUT, || {
        std::thread::scope(|scope| {
            for system in &systems {
                scope.spawn(|| server.store(system, b"x"));
            }
        });
        server.db.number("SELECT count(*) - count(DISTINCT xmin::text) FROM org_usage") > 0
    });
}

/// Returns an operation that changes nothing: its upload does not exist.
fn no_op(system: &System) -> OrgBatch {
    let system_id = Uuid::parse_str(&system.id).expect("an id");
    let abort =
        Abort { system_id, backup: Uuid::now_v7(), release_rate_slot: false, failure: None, refused: None };
    OrgBatch::new(OrgId::parse(&system.org).expect("an id"), vec![Operation::Abort(abort)])
}

fn deletion(system: &System, id: &str) -> OrgBatch {
    let uuid = Uuid::parse_str(&id[..36]).expect("an id");
    let delete = Delete {
        system_id: Uuid::parse_str(&system.id).expect("an id"),
        backup: BackupId::new(uuid, Extension::of_filename("a.bin")),
        by: DeletedBy::System,
        remote_addr: None,
        attempted_before: false,
    };
    OrgBatch::new(OrgId::parse(&system.org).expect("an id"), vec![Operation::Delete(delete)])
}

#[test]
fn locked_organization_is_skipped_by_a_shared_transaction_and_delays_no_other() {
    let server = Server::start();
    let (locked, free) = (server.system(), server.system());
    let id = server.store(&locked, b"x");
    let policy = AccountingPolicy {
        retention: Retention { slots: 1, bytes: 1 },
        rate: RateLimits { per_minute: 0, per_hour: 0 },
        default_quota: None,
        writer: Uuid::from_u128(1),
    };
    let mut conn = server.db.session().conn;
    // A wait for a lock fails at once.
    conn.batch_execute("SET lock_timeout = '1ms'").expect("set");
    let shares = [no_op(&locked), no_op(&free)];
    let done = || Some(vec![OperationOutcome::NotFound]);
    let rows =
        [format!("org_usage WHERE org_id = '{}'", locked.org), format!("systems WHERE id = '{}'", locked.id)];
    for row in rows {
        server.db.execute(&format!("BEGIN; SELECT FROM {row} FOR UPDATE"));
        let outcomes = run_shared(&mut conn, &policy, &shares).expect("outcomes");
        assert_eq!(outcomes, [None, done()], "{row}");
        server.db.execute("ROLLBACK");
    }
    let row = format!("backups WHERE system_id = '{}'", locked.id);
    server.db.execute(&format!("BEGIN; SELECT FROM {row} FOR UPDATE"));
    assert_eq!(run_shared(&mut conn, &policy, &shares).expect("outcomes"), [done(), done()]);
    let shares = [deletion(&locked, &id), no_op(&free)];
    let error = run_shared(&mut conn, &policy, &shares).expect_err("all are skipped");
    assert!(!error.is_transient(), "it did not wait for long: {error}");
    server.db.execute("ROLLBACK");
    let deleted = Some(vec![OperationOutcome::Deleted]);
    assert_eq!(run_shared(&mut conn, &policy, &shares).expect("outcomes"), [deleted, done()]);
}

#[test]
fn organization_locked_by_another_process_is_retried_together_before_it_waits_alone() {
    let server = Server::start();
    let system = server.system();
    let skipped = || sample(&server.metrics(), r#"strongroom_batch_seconds_count{result="left_out"}"#);
    // Two rounds: after an organization has waited alone, it is tried together again.
    for round in 0..2 {
        let before = skipped();
        let mut other = server.db.session().conn;
        let lock = format!("BEGIN; SELECT FROM org_usage WHERE org_id = '{}' FOR UPDATE", system.org);
        other.batch_execute(&lock).expect("lock");
        std::thread::scope(|scope| {
            let upload = scope.spawn(|| server.store(&system, b"x"));
            assert_eventually("it waits", TIMEOUT, || server.db.waits_for_a_lock());
            assert!(skipped() >= before + 4.0, "round {round}: {} without waiting", skipped() - before);
            other.batch_execute("ROLLBACK").expect("unlock");
            upload.join().expect("stored");
        });
    }
}

#[test]
fn operation_that_fails_on_its_data_fails_alone() {
    let server = Server::builder().no_rate_limit().start();
    let (damaged, other) = (server.system(), server.system());
    let sibling = server.add_system(&damaged.org, "sibling");
    server.db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON backups FOR EACH ROW WHEN (NEW.filename = 'damaged.bin')
         EXECUTE FUNCTION refuse()",
    );
    let refused = || {
        for _ in 0..10 {
            server.upload(&damaged).header("X-Filename", "damaged.bin").body(b"x").send().is_unavailable();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(refused);
        }
        let server = &server;
        for system in [&damaged, &sibling, &other] {
            scope.spawn(move || (0..30).for_each(|_| drop(server.store(system, b"x"))));
        }
    });
}
