//! Lists that wait at the same time: they share queries, and each is answered as if it were alone.

use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use crate::harness::{Answer, BACKUPS, REQUESTS, Server, System, TIMEOUT, assert_eventually, wait_for};

/// Makes every query of `backups` wait, after it has begun, for each row that it reads, and records the query.
const GATE: &str = "CREATE TABLE queries (pid int, began timestamptz); \
    CREATE FUNCTION wait_at_gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
        INSERT INTO queries VALUES (pg_backend_pid(), statement_timestamp()); \
        PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END $$; \
    ALTER TABLE backups RENAME TO real_backups; \
    CREATE VIEW backups AS SELECT * FROM real_backups WHERE wait_at_gate()";
const REMOVE_GATE: &str =
    "DROP VIEW backups; DROP FUNCTION wait_at_gate; ALTER TABLE real_backups RENAME TO backups";
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
    AND wait_event_type = 'Lock' AND application_name = 'strongroom'";

/// A session that keeps the gate closed while it is open.
fn close_gate(server: &Server) -> PgConnection {
    let mut session = PgConnection::establish(server.db.url()).expect("connect");
    session.batch_execute("SELECT pg_advisory_lock(1)").expect("close the gate");
    session
}

/// Returns systems with two backups each, and the ids of those, newest first.
fn systems_with_backups(server: &Server, count: usize) -> Vec<(System, Vec<String>)> {
    let systems = server.add_systems(&server.system().org, count);
    let with_ids = |system: System| {
        let ids = [b"older", b"newer"].map(|body| server.store(&system, body));
        (system, ids.into_iter().rev().collect())
    };
    systems.into_iter().map(with_ids).collect()
}

fn list<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    server: &'scope Server,
    system: &'scope System,
) -> ScopedJoinHandle<'scope, Answer> {
    scope.spawn(move || server.get(BACKUPS).user(system).send())
}

fn ids(answer: &Answer) -> Vec<String> {
    let backups = answer.data()["backups"].as_array().expect("backups").clone();
    backups.iter().map(|backup| backup["id"].as_str().expect("an id").to_owned()).collect()
}

/// Lists every system twice at the same time. Returns how many queries that took.
fn queries_of_lists(server: &Server, systems: &[(System, Vec<String>)]) -> i64 {
    server.db.execute("TRUNCATE queries");
    let gate = close_gate(server);
    thread::scope(|scope| {
        let lists: Vec<_> =
            systems.iter().chain(systems).map(|(system, own)| (list(scope, server, system), own)).collect();
        assert_eventually("two queries wait", TIMEOUT, || server.db.number(WAITING) == 2);
        // Time for the other lists to join the queue; on a busy machine fewer lists share a query.
        wait_for(Duration::from_millis(500));
        assert_eq!(server.db.number(WAITING), 2, "no further query");
        drop(gate);
        for (answer, own) in lists {
            assert_eq!(&ids(&answer.join().expect("an answer").status(200)), own);
        }
    });
    server.db.number("SELECT count(DISTINCT (pid, began)) FROM queries")
}

#[test]
fn lists_that_wait_together_share_a_query_and_each_system_sees_its_own() {
    let server = Server::unlimited();
    let systems = systems_with_backups(&server, 12);
    server.db.execute(GATE);
    // Two that begin at once, and one or two for the 22 that come meanwhile.
    assert!((0..5).any(|_| queries_of_lists(&server, &systems) <= 4), "too many queries");
    server.db.execute(REMOVE_GATE);
}

#[test]
fn list_shows_what_was_committed_before_it_was_asked_for() {
    let server = Server::unlimited();
    let systems = systems_with_backups(&server, 2);
    server.db.execute(GATE);
    let gate = close_gate(&server);
    thread::scope(|scope| {
        // Both have begun, and see nothing that is committed later.
        let earlier: Vec<_> = systems.iter().map(|(system, _)| list(scope, &server, system)).collect();
        assert_eventually("both wait", TIMEOUT, || server.db.number(WAITING) == 2);
        server.db.execute("UPDATE real_backups SET filename = 'committed'");
        let later: Vec<_> = systems.iter().map(|(system, _)| list(scope, &server, system)).collect();
        wait_for(Duration::from_millis(300));
        drop(gate);
        for answer in earlier {
            answer.join().expect("an answer").status(200);
        }
        for answer in later {
            let answer = answer.join().expect("an answer").status(200);
            assert_eq!(answer.data()["backups"][0]["filename"], "committed");
        }
    });
    server.db.execute(REMOVE_GATE);
}

#[test]
fn backup_that_cannot_be_read_fails_no_other_systems_list() {
    let server = Server::unlimited();
    let systems = systems_with_backups(&server, 6);
    server.db.execute(GATE);
    let broken = &systems[3].0;
    for damage in ["uploaded_at = 'infinity'", "uploaded_at = now(), extension = 'exe'"] {
        server.db.execute(&format!(
            "ALTER TABLE real_backups DROP CONSTRAINT IF EXISTS backups_extension_check; \
             UPDATE real_backups SET {damage} WHERE system_id = '{}'",
            broken.id
        ));
        let gate = close_gate(&server);
        thread::scope(|scope| {
            let all = || systems.iter().chain(&systems);
            let lists: Vec<_> =
                all().map(|(system, own)| (list(scope, &server, system), system, own)).collect();
            assert_eventually("two queries wait", TIMEOUT, || server.db.number(WAITING) == 2);
            wait_for(Duration::from_millis(300));
            drop(gate);
            for (answer, system, own) in lists {
                let answer = answer.join().expect("an answer");
                if system.id == broken.id {
                    answer.is_unavailable();
                } else {
                    assert_eq!(&ids(&answer.status(200)), own, "{damage}");
                }
            }
        });
    }
    server.db.execute(REMOVE_GATE);
    server.db.execute("DELETE FROM backups WHERE extension = 'exe'");
    server.skip_audit();
    server.skip_comparison();
}

#[test]
fn lists_behind_a_locked_table_are_answered_in_time_and_delay_no_other_request() {
    let server = Server::unlimited();
    let systems = server.add_systems(&server.system().org, 20);
    let other = server.system();
    server.db.execute("BEGIN; LOCK TABLE backups IN ACCESS EXCLUSIVE MODE");
    thread::scope(|scope| {
        let timed = |system| {
            let start = Instant::now();
            server.get(BACKUPS).user(system).send().is_unavailable();
            start.elapsed()
        };
        let waiting: Vec<_> =
            (0..5).flat_map(|_| &systems).map(|system| scope.spawn(move || timed(system))).collect();
        assert_eventually("lists wait", TIMEOUT, || server.db.number(WAITING) > 0);
        wait_for(Duration::from_millis(500));
        let start = Instant::now();
        server.get(REQUESTS).user(&other).send().status(200);
        assert!(start.elapsed() < Duration::from_secs(2), "delayed by {:?}", start.elapsed());
        for list in waiting {
            let took = list.join().expect("an answer");
            assert!(took < Duration::from_secs(8), "answered after {took:?}");
        }
    });
    server.db.execute("ROLLBACK");
    server.get(BACKUPS).user(&systems[0]).send().status(200);
}

#[test]
fn lists_whose_connection_is_lost_are_read_again() {
    let (link, server) = Server::on_a_link();
    let systems = systems_with_backups(&server, 4);
    server.db.execute(GATE);
    let gate = close_gate(&server);
    thread::scope(|scope| {
        let lists: Vec<_> =
            systems.iter().chain(&systems).map(|(system, own)| (list(scope, &server, system), own)).collect();
        assert_eventually("two queries wait", TIMEOUT, || server.db.number(WAITING) == 2);
        wait_for(Duration::from_millis(300));
        link.cut();
        drop(gate);
        for (answer, own) in lists {
            assert_eq!(&ids(&answer.join().expect("an answer").status(200)), own);
        }
    });
    server.db.execute(REMOVE_GATE);
}
