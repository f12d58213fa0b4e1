//! Postgres is unavailable, or hangs, at each step of a request: the answer, and what is left of the request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{
    Answer, BACKUPS, Database, LinkFault, PostgresLink, RawClient, Server, System, TIMEOUT,
    assert_eventually, bytes, chunk,
};
use crate::monitoring::health::everything_is_unavailable;

const EACH: [LinkFault; 3] = [LinkFault::Refused, LinkFault::Reset, LinkFault::BlackHole];

/// How soon the service must work after Postgres has returned, and time for a busy machine, which has several
/// attempts.
const RECOVERED: Duration = Duration::from_secs(4);

/// How soon a client must have its answer after its last byte, and time for a busy machine.
const ANSWERED: Duration = Duration::from_secs(33);

/// Checks that these backups exist and nothing else, and that everything works.
#[track_caller]
fn is_well(server: &Server, system: &System, backups: &[String]) {
    assert_eventually("nothing is being received", TIMEOUT, || server.receiving() == 0);
    assert_eq!(server.ids(system), backups);
    let stored = i64::try_from(backups.len()).expect("a few") * 1000;
    assert_eq!(server.totals(&system.org), (stored, 0));
    assert_eventually("no object is left", TIMEOUT, || {
        server.age_marks();
        server.cli(["sweep"]).exits(0);
        server.objects().len() == backups.len()
    });
    server.audit_is_clean();
    let id = server.store(system, &bytes(1000));
    server.fetch(system, &id).send().status(200);
    server.delete(system, &id).status(200);
    assert_eventually("the deleted backup is purged", TIMEOUT, || {
        server.db.number("SELECT count(*) FROM backups WHERE retired_reason = 'system'") == 0
    });
}

#[test]
fn server_started_without_postgres_recovers_soon_after_its_return() {
    let first = Server::start();
    let system = first.system();
    let id = first.store(&system, &bytes(1000));
    first.kill();
    // Returns the time from Postgres' return until a backup is stored.
    let recovered_within = |fault| {
        let link = PostgresLink::to(&first.db);
        link.inject(fault);
        let server = Server::builder()
            .database(&first.db)
            .store(&first.store)
            .set("DATABASE_URL", link.url())
            .unready()
            .start();
        let health = server.get("/api/health").send();
        assert_eq!(health.status, 503, "{health}");
        assert_eq!(health.data()["database"], "down", "{health}");
        everything_is_unavailable(&server, &system, &id);
        link.repair();
        let start = Instant::now();
        let answer = server.put(&system, &bytes(1000));
        let took = start.elapsed();
        server.delete(&system, &answer.id()).status(200);
        is_well(&server, &system, std::slice::from_ref(&id));
        took
    };
    for fault in [LinkFault::Refused, LinkFault::BlackHole] {
        // A busy machine can only make it longer.
        assert!((0..3).any(|_| recovered_within(fault) < RECOVERED), "{fault:?}");
    }
}

#[test]
fn start_does_not_wait_for_lost_packets_to_postgres() {
    let database = Arc::new(Database::new());
    // Returns the time from Postgres' return until the start is done.
    let recovered_within = || {
        let link = PostgresLink::to(&database);
        link.inject(LinkFault::PacketsLost);
        std::thread::scope(|scope| {
            let repair = scope.spawn(|| {
                // One connection is the pool's, the other the start's.
                assert_eventually("both connections are swallowed", TIMEOUT, || link.swallowed() >= 2);
                link.repair();
                Instant::now()
            });
            let server =
                Server::builder().database(&database).set("DATABASE_URL", link.url()).unready().start();
            // The server listens when it is ready, or after a long wait.
            let took = repair.join().expect("repaired").elapsed();
            assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
            took
        })
    };
    // A busy machine can only make it longer.
    assert!((0..3).any(|_| recovered_within() < Duration::from_secs(3)));
}

#[test]
fn every_request_without_postgres_is_503_with_retry_after() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    for fault in EACH {
        // The service has not cached this system, so it has to query it.
        let stranger = server.system();
        link.inject(fault);
        let start = Instant::now();
        everything_is_unavailable(&server, &stranger, &id);
        assert!(start.elapsed() < ANSWERED, "{fault:?}: {:?}", start.elapsed());
        assert_eq!(server.get("/api/health").send().status, 503);
        link.repair();
        is_well(&server, &system, std::slice::from_ref(&id));
    }
}

#[test]
fn requests_with_a_cached_credential_are_503_without_postgres() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    for fault in EACH {
        // A checked credential stays valid for a moment.
        server.get(BACKUPS).user(&system).send().status(200);
        link.inject(fault);
        let start = Instant::now();
        everything_is_unavailable(&server, &system, &id);
        assert!(start.elapsed() < ANSWERED, "{fault:?}: {:?}", start.elapsed());
        link.repair();
        is_well(&server, &system, std::slice::from_ref(&id));
    }
}

/// Makes Postgres fail during an upload's body, for the rest of the upload or (`back`) for a moment.
fn under_a_body(fault: LinkFault, back: bool) {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
    raw.send(bytes(500));
    assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
    link.inject(fault);
    raw.send(bytes(500));
    let start = Instant::now();
    if back {
        assert_eventually("a moment passes", TIMEOUT, || start.elapsed() > Duration::from_secs(2));
        link.repair();
        let new = raw.answer().id();
        return is_well(&server, &system, &[new, id]);
    }
    raw.answer().is_unavailable();
    assert!(start.elapsed() < ANSWERED, "{fault:?}: {:?}", start.elapsed());
    link.repair();
    is_well(&server, &system, &[id]);
}

#[test]
fn upload_waits_at_its_commit_for_postgres() {
    std::thread::scope(|scope| {
        for fault in EACH {
            scope.spawn(move || under_a_body(fault, true));
        }
    });
}

#[test]
fn upload_that_cannot_be_committed_is_aborted() {
    std::thread::scope(|scope| {
        for fault in EACH {
            scope.spawn(move || under_a_body(fault, false));
        }
    });
}

#[test]
fn chunked_upload_that_cannot_extend_its_reservation_is_refused() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    for fault in EACH {
        let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
        raw.send(chunk(&bytes(1 << 20)));
        assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
        link.inject(fault);
        for _ in 0..8 {
            if raw.try_send(chunk(&bytes(1 << 20))).is_err() {
                break;
            }
        }
        raw.answer().is_unavailable();
        link.repair();
        is_well(&server, &system, &[]);
    }
}

#[test]
fn request_after_a_restart_of_postgres_succeeds() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    for _ in 0..3 {
        // The pool has many connections.
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| server.list(&system));
            }
        });
        link.cut();
        let id = server.put(&system, &bytes(1000)).id();
        link.cut();
        server.get(BACKUPS).user(&system).send().status(200);
        link.cut();
        server.fetch(&system, &id).send().status(200);
        link.cut();
        server.delete(&system, &id).status(200);
        link.cut();
        std::thread::scope(|scope| {
            let answers: Vec<_> =
                (0..20).map(|_| scope.spawn(|| server.get(BACKUPS).user(&system).send())).collect();
            let answers: Vec<Answer> = answers.into_iter().map(|a| a.join().expect("an answer")).collect();
            assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        });
        // Only the database: on a busy machine the disk may be slow for a moment.
        assert_eq!(server.get("/api/health").send().data()["database"], "up");
    }
    // An interrupted purge begins again after a minute.
    assert_eventually("no object is left", TIMEOUT * 5, || server.objects().is_empty());
    is_well(&server, &system, &[]);
}

#[test]
fn server_can_be_stopped_while_postgres_hangs() {
    let (link, server) = Server::on_a_link();
    server.skip_audit();
    let system = server.system();
    server.store(&system, &bytes(1000));
    link.inject(LinkFault::BlackHole);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| server.get(BACKUPS).user(&system).send());
        answer.join().expect("an answer").is_unavailable();
    });
    assert!(server.stop_gracefully().success());
}

#[test]
fn late_effects_of_postgres_are_corrected() {
    let database = std::sync::Arc::new(crate::harness::Database::new());
    let link = PostgresLink::to(&database);
    let server = Server::builder()
        .database(&database)
        .set("DATABASE_URL", link.url())
        .set("BACKUP_SWEEP_INTERVAL", 1)
        .start();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
    raw.send(bytes(500));
    assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
    link.inject(LinkFault::Frozen);
    raw.send(bytes(500));
    everything_is_unavailable(&server, &system, &id);
    raw.answer().is_unavailable();
    link.repair();
    // What was answered 503 without a known outcome may have happened: the deletion, and the commit of the
    // upload that was under way. The other two uploads were not stored, and used no slot. An admission may
    // arrive after its abort, a while after the repair; the sweeper finds it when it is a minute old.
    let put_right = || {
        let left = server.ids(&system);
        let stored = i64::try_from(left.len()).expect("two") * 1000;
        let new = left.iter().filter(|left| **left != id).count();
        server.age_marks();
        server.receiving() == 0
            && new <= 1
            && server.totals(&system.org) == (stored, 0)
            && server.slots_used(&system) == 1 + i64::try_from(new).expect("one")
            && server.objects().len() == left.len()
    };
    assert_eventually("rows, totals, slots and objects are correct", Duration::from_secs(180), put_right);
    server.audit_is_clean();
}
