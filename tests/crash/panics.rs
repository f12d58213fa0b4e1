//! A background task panics: the log and the metrics name it, health is degraded until it works again, and it does work again.

use std::collections::BTreeSet;

use tempfile::NamedTempFile;

use crate::crash_fixture::{CrashFixture, FAILPOINT, builder};
use crate::harness::{Disconnect, Login, RawClient, Server, TIMEOUT, assert_eventually, bytes, sample};

/// A point that panics each time until this is dropped.
pub struct Panicking(NamedTempFile);

impl Panicking {
    pub fn new() -> Self {
        Self(NamedTempFile::new().expect("a file"))
    }

    pub fn at(&self, point: &str) -> String {
        format!("panic {point} while {}", self.0.path().display())
    }
}

pub fn runs(server: &Server, task: &str, result: &str) -> f64 {
    // The library writes labels in the order of their names.
    let name = format!(r#"strongroom_task_runs_total{{result="{result}",task="{task}"}}"#);
    sample(&server.metrics(), &name)
}

fn is_up(server: &Server, task: &str) -> bool {
    sample(&server.metrics(), &format!(r#"strongroom_task_up{{task="{task}"}}"#)) > 0.5
}

/// Health names this task and no other one.
#[track_caller]
pub fn is_degraded(server: &Server, task: &str) {
    assert_eventually(&format!("health names {task}"), TIMEOUT, || {
        let health = server.get("/api/health").send();
        let named = health.data()["tasks"] == serde_json::json!([task]);
        // Without its preparation the service can't store anything.
        let (status, message) = if task == "prepare" { (503, "unhealthy") } else { (200, "degraded") };
        named && health.status == status && health.message() == message
    });
}

#[track_caller]
pub fn is_healthy(server: &Server) {
    assert_eventually("health is up again", TIMEOUT * 3, || {
        let health = server.get("/api/health").send();
        health.status == 200
            && health.message() == "healthy"
            && health.data() == serde_json::json!({ "database": "up", "store": "up" })
    });
}

/// A service in which this task panics, and works again.
#[track_caller]
fn panics_and_recovers(task: &str) -> (Server, Login) {
    let (panicking, login) = (Panicking::new(), Login::new());
    let server =
        builder().login(&login).set(FAILPOINT, panicking.at(&format!("task.{task}"))).unready().start();
    is_degraded(&server, task);
    assert!(!is_up(&server, task), "{}", server.metrics());
    assert!(runs(&server, task, "panic") > 0.5, "{}", server.metrics());
    let line = format!("task {task} panicked: failpoint task.{task}");
    assert_eq!(server.log().matches(&line).count(), 1, "one line, however often it panics: {}", server.log());
    drop(panicking);
    is_healthy(&server);
    assert!(is_up(&server, task), "{}", server.metrics());
    assert!(runs(&server, task, "ok") > 0.5, "{}", server.metrics());
    assert!(server.log().contains(&format!("task {task}: it works again")), "{}", server.log());
    (server, login)
}

#[test]
fn preparation_that_panicked_prepares_again() {
    let (server, _) = panics_and_recovers("prepare");
    server.store(&server.system(), b"x");
}

#[test]
fn lease_that_panicked_is_renewed_again() {
    let (server, _) = panics_and_recovers("lease");
    let held = "SELECT count(*) FROM writers WHERE lease_expires_at > clock_timestamp()";
    assert_eventually("the lease is held", TIMEOUT, || server.db.number(held) == 1);
}

#[test]
fn listener_that_panicked_wakes_again() {
    let (server, _) = panics_and_recovers("listen");
    let system = server.system();
    let mut waiting = server.waiting(&system, 60);
    let id = server.request_backup(&system);
    assert!(String::from_utf8_lossy(&waiting.answer().status(200).body).contains(&id));
}

#[test]
fn purge_that_panicked_purges_again() {
    let (server, _) = panics_and_recovers("purge");
    let system = server.system();
    for _ in 0..3 {
        server.store(&system, b"x");
    }
    let retired = "SELECT count(*) FROM backups WHERE state = 'retired'";
    assert_eventually("the pruned backup is purged", TIMEOUT, || server.db.number(retired) == 0);
}

#[test]
fn erase_that_panicked_erases_again() {
    let (server, _) = panics_and_recovers("erase");
    let system = server.system();
    server.store(&system, b"x");
    // As a version before 0.2.0 marks it.
    server.db.execute("UPDATE systems SET state = 'destroying'");
    let left = "SELECT count(*) FROM systems";
    assert_eventually("the system is erased", TIMEOUT, || server.db.number(left) == 0);
    assert!(server.objects().is_empty());
}

#[test]
fn sweep_that_panicked_sweeps_again() {
    let (server, _login) = panics_and_recovers("sweep");
    let (system, other) = (server.system(), server.sibling_with(FAILPOINT, ""));
    let mut raw = RawClient::upload(&other, &system, &["Content-Length: 2000000"]);
    raw.send(bytes(1000));
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    other.kill();
    other.skip_audit();
    assert_eventually("it is rolled back", TIMEOUT * 2, || server.receiving() == 0);
}

#[test]
fn other_tasks_work_again_after_a_panic() {
    let tasks = "history memory periods refused_credentials revoke rejected_tokens seen_systems unavailable_uploads usage";
    for task in tasks.split(' ') {
        panics_and_recovers(task);
    }
}

#[test]
fn key_set_that_panicked_is_read_again() {
    let (server, login) = panics_and_recovers("key_set");
    let token = login.token("acme", "backup:view");
    let answer = server.manage("GET", "/backup/unknown").bearer(token).send();
    assert_eq!(answer.status, 404, "the token is known: {answer}");
}

/// A task that is missing here has no test above.
#[test]
fn every_task_has_a_name_and_a_test() {
    let login = Login::new();
    let server = builder().login(&login).start();
    let metrics = server.metrics();
    let names = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(r#"strongroom_task_up{task=""#)?.split('"').next());
    let repeated = "erase history key_set lease listen memory periods prepare purge \
        refused_credentials rejected_tokens revoke seen_systems sweep unavailable_uploads usage";
    let on_demand = ["abort", "backup_lists", "credential_lookup", "group_commit"];
    assert_eq!(names.collect::<BTreeSet<_>>(), repeated.split(' ').chain(on_demand).collect());
}

/// Two uploads that end half-way.
pub fn break_off_two(fixture: &CrashFixture) {
    let wires = [(); 2].map(|()| {
        let mut raw = RawClient::upload(&fixture.server, &fixture.system, &["Content-Length: 2000000"]);
        raw.send(bytes(1000));
        raw
    });
    assert_eventually("both were admitted", TIMEOUT, || fixture.server.receiving() == 2);
    for raw in wires {
        raw.disconnect(Disconnect::Rst);
    }
}

#[test]
fn abort_that_panicked_is_tried_again_and_stops_no_other() {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint("panic task.abort");
    break_off_two(&fixture);
    assert_eventually("both are aborted", TIMEOUT, || fixture.server.receiving() == 0);
    assert!((runs(&fixture.server, "abort", "panic") - 1.0).abs() < 0.5, "{}", fixture.server.metrics());
    assert!(!fixture.server.log().contains("the sweep will abort it"));
    is_healthy(&fixture.server);
    fixture.assert_consistent(&fixture.kept);
}

#[test]
fn abort_that_panicked_after_the_row_was_retired_leaves_the_object_to_the_purge() {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint("panic abort.retired");
    break_off_two(&fixture);
    assert_eventually("both are aborted", TIMEOUT, || {
        fixture.server.receiving() == 0 && runs(&fixture.server, "abort", "ok") > 1.5
    });
    is_healthy(&fixture.server);
    fixture.assert_consistent(&fixture.kept);
}

#[test]
fn abort_that_keeps_panicking_is_left_to_the_sweeper() {
    let mut fixture = CrashFixture::new();
    let panicking = Panicking::new();
    fixture.start_with_failpoint(panicking.at("task.abort"));
    break_off_two(&fixture);
    is_degraded(&fixture.server, "abort");
    assert_eventually("both are given up", TIMEOUT * 3, || {
        fixture.server.log().matches("the abort panicked 3 times; the sweep will abort it").count() == 2
    });
    is_healthy(&fixture.server);
    // A sweeper leaves young uploads of its own process alone.
    fixture.server.db.execute("UPDATE backups SET admitted_at = admitted_at - interval '2 minutes'");
    assert_eventually("the sweeper rolls both back", TIMEOUT, || fixture.server.receiving() == 0);
    drop(panicking);
    fixture.assert_consistent(&fixture.kept);
}
