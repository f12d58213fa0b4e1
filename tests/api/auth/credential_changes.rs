//! The service applies an operator's change of a system within a second.

use std::time::Duration;

use crate::harness::{
    BACKUPS, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, chunk, eventually,
};

/// A second, and time for a busy machine.
const SOON: Duration = Duration::from_millis(1500);

fn is_refused(server: &Server, system: &System) -> bool {
    server.get(BACKUPS).user(system).send().status == 401
}

#[test]
fn a_rotated_secret_stops_working_within_a_second_in_every_process() {
    let server = Server::start();
    let other = server.sibling();
    let old = server.system();
    server.store(&old, b"x");
    other.get(BACKUPS).user(&old).send().status(200);
    let rotated = server.cli(["system", "rotate-secret", &old.key, "--json"]).exits(0).json();
    let secret = rotated["system_secret"].as_str().expect("the new secret").to_owned();
    assert_ne!(secret, old.secret);
    let new = System { secret, ..old.clone() };
    assert_eventually("the old secret is refused", SOON, || {
        is_refused(&server, &old) && is_refused(&other, &old)
    });
    assert_eventually("the new secret is accepted", SOON, || {
        !is_refused(&server, &new) && !is_refused(&other, &new)
    });
    server.put(&old, b"x").is_invalid_token();
    server.store(&new, b"x");
    assert_eq!(server.events("secret_rotated"), 1);
}

#[test]
fn a_new_secret_works_at_once_even_where_the_old_one_was_just_used() {
    let server = Server::start();
    let old = server.system();
    server.get(BACKUPS).user(&old).send().status(200);
    let rotated = server.cli(["system", "rotate-secret", &old.id, "--json"]).exits(0).json();
    let secret = rotated["system_secret"].as_str().expect("the new secret").to_owned();
    let new = System { secret, ..old };
    assert_eventually("the new secret is accepted", SOON, || !is_refused(&server, &new));
}

#[test]
fn a_suspended_system_is_refused_within_a_second_and_a_resumed_one_is_not() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    server.cli(["system", "suspend", &system.key]).exits(0);
    assert_eventually("refused", SOON, || is_refused(&server, &system));
    server.put(&system, b"x").is_invalid_token();
    server.fetch(&system, &id).send().is_invalid_token();
    server.delete(&system, &id).is_invalid_token();
    server.cli(["system", "resume", &system.key]).exits(0);
    assert_eventually("accepted again", SOON, || !is_refused(&server, &system));
    assert_eq!(server.fetch(&system, &id).send().status(200).body, b"x");
}

#[test]
fn an_upload_under_way_is_refused_at_its_end_if_the_system_was_suspended() {
    let server = Server::start();
    let system = server.system();
    let before = server.snapshot();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    raw.send("01234");
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    server.cli(["system", "suspend", &system.key]).exits(0);
    raw.send("56789");
    raw.answer().is_invalid_token();
    server.assert_nothing_left(&before);
}

#[test]
fn an_upload_under_way_may_finish_when_the_secret_is_rotated() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    raw.send("01234");
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    server.cli(["system", "rotate-secret", &system.key]).exits(0);
    raw.send("56789");
    raw.answer().id();
}

#[test]
fn a_destroyed_system_leaves_no_object_and_no_row() {
    let server = Server::start();
    let system = server.system();
    let sibling = server.add_system(&system.org, "of the same organization");
    let kept = server.store(&sibling, &bytes(7));
    for len in 1..=3 {
        server.store(&system, &bytes(len));
    }
    let destroyed = server.cli(["system", "destroy", &system.key, "--yes", "--json"]).exits(0);
    assert!(destroyed.stdout.contains('3'), "the output has the number of deleted backups: {destroyed:?}");
    destroyed.json();
    assert_eventually("refused", SOON, || is_refused(&server, &system));
    assert_eq!(server.objects().into_iter().collect::<Vec<_>>(), [server.object_key(&kept)]);
    assert_eq!(server.totals(&system.org), (7, 0));
    let left = format!("SELECT count(*) FROM backups WHERE system_id = '{}'", system.id);
    assert_eq!(server.db.number(&left), 0);
    assert_eq!(server.db.number(&format!("SELECT count(*) FROM systems WHERE id = '{}'", system.id)), 0);
    assert_eq!(server.events("destroyed"), 1, "the history survives the system");
    assert!(server.events("uploaded") >= 3);
    server.cli(["system", "show", &system.key]).exits(1);
    assert_eq!(server.ids(&sibling), [kept]);
}

#[test]
fn a_system_may_be_destroyed_under_its_own_upload() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, b"x");
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 10"]);
    raw.send("01234");
    assert_eventually("the upload was admitted", TIMEOUT, || server.receiving() == 1);
    std::thread::scope(|scope| {
        let destroy = scope.spawn(|| server.cli(["system", "destroy", &system.key, "--yes"]));
        eventually(SOON, || is_refused(&server, &system));
        let _ = raw.try_send("56789");
        if let Ok(answer) = raw.try_answer() {
            assert_ne!(answer.status, 201, "nothing is stored for a system that is being destroyed");
        }
        destroy.join().expect("the command").exits(0);
    });
    assert_eventually("nothing is left", TIMEOUT, || {
        server.objects().is_empty() && server.temporary().is_empty() && server.receiving() == 0
    });
    assert_eq!(server.totals(&system.org), (0, 0));
}

#[test]
fn growing_upload_of_a_destroyed_system_is_refused() {
    let server = Server::start();
    let system = server.system_with_quota(5000);
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked"]);
    raw.send(chunk(&bytes(1000)));
    assert_eventually("it has its first bytes", TIMEOUT, || server.totals(&system.org) == (0, 1000));
    server.cli(["system", "destroy", &system.key, "--yes"]).exits(0);
    raw.send([chunk(&bytes(1000)), chunk(b"")].concat());
    raw.answer().is_invalid_token();
    assert_eq!(server.totals(&system.org), (0, 0));
}

#[test]
fn key_of_a_destroyed_system_can_be_used_for_a_new_one() {
    let server = Server::start();
    server.add_org("acme", None);
    let add = || {
        let added = server.cli(["system", "add", "--org", "acme", "--name", "fw", "--key", "FW-1", "--json"]);
        let added = added.exits(0).json();
        let text = |name: &str| added[name].as_str().expect("text").to_owned();
        System { id: text("id"), key: text("system_key"), secret: text("system_secret"), org: text("org_id") }
    };
    let first = add();
    server.store(&first, b"of the first");
    server.cli(["system", "destroy", &first.id, "--yes"]).exits(0);
    let second = add();
    assert_ne!((&first.id, &first.secret), (&second.id, &second.secret));
    assert_eventually("the second is admitted", SOON, || !is_refused(&server, &second));
    assert!(server.list(&second).is_empty(), "the new system inherits nothing");
    assert!(is_refused(&server, &first));
}
