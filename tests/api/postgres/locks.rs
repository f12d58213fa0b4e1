//! Locks of other sessions, and a read-only Postgres: the service waits, answers 503, and works again
//! afterwards.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use crate::harness::{BACKUPS, RawClient, Server, System, TIMEOUT, assert_eventually, bytes};

/// Returns a session that is not the service's.
fn session(server: &Server) -> PgConnection {
    PgConnection::establish(server.db.url()).expect("connect")
}

fn lock_system(system: &System) -> String {
    format!("BEGIN; SELECT FROM systems WHERE id = '{}' FOR UPDATE", system.id)
}

/// Makes the service's transaction the victim of a deadlock: it has locked the organization and waits for the
/// system, which another session has locked that wants the organization. Returns whether that came in time:
/// Postgres looks for a deadlock once, after a second, and without one the service ends its wait after three.
fn upload_survives_a_deadlock(server: &Server) -> bool {
    let system = server.system();
    let mut other = session(server);
    let start = Instant::now();
    other.batch_execute(&format!("SET deadlock_timeout = '1min'; {}", lock_system(&system))).expect("lock");
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| server.put(&system, &bytes(1000)));
        assert_eventually("it waits", TIMEOUT, || server.db.waits_for_a_lock());
        let want = format!("SELECT FROM org_usage WHERE org_id = '{}' FOR UPDATE; ROLLBACK", system.org);
        other.batch_execute(&want).expect("the service's transaction is the victim");
        let in_time = start.elapsed() < Duration::from_secs(3);
        upload.join().expect("an answer").id();
        assert_eq!(server.ids(&system).len(), 1);
        in_time
    })
}

fn survives_a_deadlock(server: &Server) {
    assert!((0..5).any(|_| upload_survives_a_deadlock(server)), "the machine is too slow for a deadlock");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eventually("Postgres counts a deadlock", TIMEOUT * 2, || server.db.number(deadlocks) > 0);
}

/// Holds a lock for longer than a statement waits for it, and shorter than an upload does. Returns whether it
/// was shorter: if not, a refusal is right.
fn upload_waits_for_a_short_lock(server: &Server) -> bool {
    let system = server.system();
    let mut other = session(server);
    other.batch_execute(&lock_system(&system)).expect("lock");
    let start = Instant::now();
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| server.put(&system, &bytes(1000)));
        assert_eventually("a statement has timed out", TIMEOUT, || {
            start.elapsed() > Duration::from_millis(3600)
        });
        other.batch_execute("ROLLBACK").expect("unlock");
        let shorter = start.elapsed() < Duration::from_secs(5);
        let answer = upload.join().expect("an answer");
        if shorter {
            answer.id();
        }
        shorter
    })
}

fn waits_for_a_short_lock(server: &Server) {
    assert!(
        (0..5).any(|_| upload_waits_for_a_short_lock(server)),
        "the machine is too slow for a short lock"
    );
}

#[test]
fn deadlock_is_retried() {
    survives_a_deadlock(&Server::start());
}

#[test]
fn deadlock_is_retried_in_any_server_language() {
    let (link, server) = Server::on_a_link();
    link.translate("deadlock detected", "Verklemmung da!!!");
    survives_a_deadlock(&server);
}

#[test]
fn lock_held_for_a_while_is_waited_for() {
    waits_for_a_short_lock(&Server::start());
}

#[test]
fn lock_held_for_a_while_is_waited_for_in_any_server_language() {
    let (link, server) = Server::on_a_link();
    link.translate("lock timeout", "Sperrzeitout");
    waits_for_a_short_lock(&server);
}

#[test]
fn locked_organization_row_delays_only_its_accounting() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let uuid = id.strip_suffix(".bin").expect("no name, no extension");
    let lock_backup = format!("BEGIN; SELECT FROM backups WHERE id = '{uuid}' FOR UPDATE");
    // A locked backup delays only what changes it.
    for (lock, upload) in [(lock_system(&system), 503), (lock_backup, 201)] {
        let mut other = session(&server);
        other.batch_execute(&lock).expect("lock");
        std::thread::scope(|scope| {
            let stored = scope.spawn(|| server.put(&system, &bytes(1000)));
            server.get(BACKUPS).user(&system).send().status(200);
            server.fetch(&system, &id).send().status(200);
            stored.join().expect("an answer").status(upload);
            server.delete(&system, &id).is_unavailable();
        });
        other.batch_execute("ROLLBACK").expect("unlock");
        assert_eventually("the process works again", TIMEOUT, || {
            server.put(&system, &bytes(1000)).status == 201
        });
        assert_eventually("nothing is being received", TIMEOUT, || server.receiving() == 0);
        server.audit_is_clean();
    }
    server.delete(&system, &id).status(200);
}

#[test]
fn read_only_postgres_serves_reads_and_writes_are_503() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let read_only = |on: &str| {
        let name = server.db.one("SELECT current_database()");
        server.db.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}"));
    };
    read_only("on");
    link.cut();
    std::thread::scope(|scope| {
        let answers = [
            scope.spawn(|| server.put(&system, &bytes(1000))),
            scope.spawn(|| server.upload(&system).chunked(bytes(1000)).send()),
            scope.spawn(|| server.delete(&system, &id)),
        ];
        server.get(BACKUPS).user(&system).send().status(200);
        server.fetch(&system, &id).send().status(200);
        for answer in answers {
            answer.join().expect("an answer").is_unavailable();
        }
    });
    // The service still has its read-only sessions.
    read_only("off");
    server.put(&system, &bytes(1000)).id();
    server.delete(&system, &id).status(200);
    assert_eventually("nothing is being received", TIMEOUT, || server.receiving() == 0);
    assert_eq!(server.totals(&system.org), (1000, 0));
}

#[test]
fn changes_during_the_wait_for_a_lock_are_seen() {
    let server = Server::start();
    let system = server.system();
    // A quota that is set under the organization's lock.
    let mut other = session(&server);
    let (org, id) = (&system.org, &system.id);
    let lower = format!(
        "BEGIN; SELECT FROM org_usage WHERE org_id = '{org}' FOR UPDATE;
         UPDATE organizations SET quota_bytes = 100 WHERE id = '{org}'"
    );
    other.batch_execute(&lower).expect("lock");
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| server.put(&system, &bytes(101)));
        assert_eventually("it waits", TIMEOUT, || server.db.waits_for_a_lock());
        other.batch_execute("COMMIT").expect("unlock");
        upload.join().expect("an answer").is_over_quota();
    });
    assert_eq!(server.db.number("SELECT count(*) FROM backups"), 0, "the upload was not even admitted");
    // The times: an upload is admitted, and stored, after the wait for its system.
    let free = |other: &mut PgConnection, name: &str| {
        other
            .batch_execute(&format!("CREATE TABLE {name} AS SELECT clock_timestamp() AS at; COMMIT"))
            .expect("unlock");
    };
    other.batch_execute(&lock_system(&system)).expect("lock");
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 100"]);
    assert_eventually("the admission waits for the lock", TIMEOUT, || server.db.waits_for_a_lock());
    free(&mut other, "let_in");
    assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
    other.batch_execute(&lock_system(&system)).expect("lock");
    raw.send(bytes(100));
    assert_eventually("the commit waits for the lock", TIMEOUT, || server.db.waits_for_a_lock());
    free(&mut other, "stored");
    raw.answer().id();
    let later = |what: &str, than: &str| {
        assert!(server.db.holds(&format!("(SELECT {what}) > (SELECT at FROM {than})")), "{what}");
    };
    later("admitted_at FROM backups", "let_in");
    later(&format!("recent_admissions[1] FROM systems WHERE id = '{id}'"), "let_in");
    later("uploaded_at FROM backups", "stored");
}
