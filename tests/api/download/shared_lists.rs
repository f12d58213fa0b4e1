//! Lists that wait at the same time: they share queries, and each is answered as if it were alone.

use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use crate::harness::{
    Answer, BACKUPS, REQUESTS, Server, System, TIMEOUT, assert_eventually, eventually, wait_for,
};

/// On a slow machine lists run out of time while they wait at the gate. Then everything is tried again.
const TRIES: usize = 20;

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

/// A list that is under way, and the ids that it must have.
type Listed<'scope> = (ScopedJoinHandle<'scope, Answer>, &'scope System, &'scope [String]);

/// Lists every system twice at the same time. The first two lists begin at once, and wait at the gate.
fn list_twice<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    server: &'scope Server,
    systems: &'scope [(System, Vec<String>)],
) -> Vec<Listed<'scope>> {
    let mut lists: Vec<Listed> = vec![];
    for (started, (system, own)) in (1..).zip(systems.iter().chain(systems)) {
        lists.push((scope.spawn(move || server.get(BACKUPS).user(system).send()), system, own));
        if started <= 2 {
            eventually(Duration::from_secs(2), || server.db.number(WAITING) >= started);
        }
    }
    // Time for the others to join the queue.
    wait_for(Duration::from_millis(300));
    lists
}

/// Whether all lists were answered in time, but for that of `broken`, which can't be read. Each has the backups of its own system.
fn all_are_answered(lists: Vec<Listed>, broken: Option<&System>) -> bool {
    let mut all = true;
    for (answer, system, own) in lists {
        let answer = answer.join().expect("an answer");
        if broken.is_some_and(|broken| broken.id == system.id) || answer.status != 200 {
            all &= broken.is_some_and(|broken| broken.id == system.id);
            answer.is_unavailable();
        } else {
            assert_eq!(ids(&answer), own);
        }
    }
    all
}

fn ids(answer: &Answer) -> Vec<String> {
    let backups = answer.data()["backups"].as_array().expect("backups").clone();
    backups.iter().map(|backup| backup["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn lists_that_wait_together_share_a_query_and_each_system_sees_its_own() {
    let server = Server::unlimited();
    let systems = systems_with_backups(&server, 12);
    server.db.execute(GATE);
    let queries = || {
        server.db.execute("TRUNCATE queries");
        let gate = close_gate(&server);
        let all = thread::scope(|scope| {
            let lists = list_twice(scope, &server, &systems);
            drop(gate);
            all_are_answered(lists, None)
        });
        all.then(|| server.db.number("SELECT count(DISTINCT (pid, began)) FROM queries"))
    };
    // Two that begin at once, and one or two for the 22 that come meanwhile.
    assert!((0..TRIES).any(|_| queries().is_some_and(|queries| queries <= 4)), "too many queries");
    server.db.execute(REMOVE_GATE);
}

#[test]
fn list_shows_what_was_committed_before_it_was_asked_for() {
    let server = Server::unlimited();
    let systems = systems_with_backups(&server, 1);
    server.db.execute(GATE);
    let names_are_new = |attempt: usize| {
        let gate = close_gate(&server);
        thread::scope(|scope| {
            // They have begun, and see nothing that is committed later.
            let earlier = list_twice(scope, &server, &systems);
            server.db.execute(&format!("UPDATE real_backups SET filename = 'committed-{attempt}'"));
            let later = list_twice(scope, &server, &systems);
            drop(gate);
            let mut all = all_are_answered(earlier, None);
            for (answer, ..) in later {
                let answer = answer.join().expect("an answer");
                all &= answer.status == 200;
                if answer.status == 200 {
                    let name = &answer.data()["backups"][0]["filename"];
                    assert_eq!(name, &format!("committed-{attempt}"));
                }
            }
            all
        })
    };
    assert!((0..TRIES).any(names_are_new), "the lists are never answered in time");
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
        let others_are_answered = || {
            let gate = close_gate(&server);
            thread::scope(|scope| {
                let lists = list_twice(scope, &server, &systems);
                drop(gate);
                all_are_answered(lists, Some(broken))
            })
        };
        assert!((0..TRIES).any(|_| others_are_answered()), "{damage}");
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
        let list = |system| server.get(BACKUPS).user(system).send().is_unavailable();
        let waiting: Vec<_> =
            (0..5).flat_map(|_| &systems).map(|system| scope.spawn(move || list(system))).collect();
        assert_eventually("lists wait", TIMEOUT, || server.db.number(WAITING) > 0);
        wait_for(Duration::from_millis(500));
        server.get(REQUESTS).user(&other).send().status(200);
        // All are answered although the table is still locked.
        for list in waiting {
            list.join().expect("an answer");
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
    let are_read_again = || {
        let gate = close_gate(&server);
        thread::scope(|scope| {
            let lists = list_twice(scope, &server, &systems);
            link.cut();
            drop(gate);
            all_are_answered(lists, None)
        })
    };
    assert!((0..TRIES).any(|_| are_read_again()), "the lists are never answered");
    server.db.execute(REMOVE_GATE);
}
