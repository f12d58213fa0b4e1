//! A rotation with overlap: for a while the secret and the one before it are both valid, in every process.

use crate::harness::{BACKUPS, Login, Server, System, TIMEOUT, assert_eventually};

pub const NEW_SECRET: &str = "the-new-secret-with-at-least-32-characters";

/// Replaces the secret of the system. The one before it stays valid for as long as `overlap` says. Returns the system with the
/// new secret.
pub fn rotate(server: &Server, system: &System, secret: &str, overlap: &str) -> System {
    server.db.execute(&format!(
        "UPDATE systems SET previous_secret_sha256 = secret_sha256, previous_secret_until = now() + interval '{overlap}',
             secret_sha256 = sha256('{secret}') WHERE id = '{}'",
        system.id
    ));
    System { secret: secret.to_owned(), ..system.clone() }
}

pub fn end_overlap(server: &Server) {
    server.db.execute("UPDATE systems SET previous_secret_until = clock_timestamp()");
}

fn is_valid(server: &Server, system: &System) -> bool {
    match server.get(BACKUPS).user(system).send().status {
        200 => true,
        401 => false,
        status => panic!("{status}"),
    }
}

#[test]
fn both_secrets_are_valid_until_the_end_of_the_overlap_in_every_process() {
    let server = Server::unlimited();
    let other = server.sibling();
    let old = server.system();
    assert!(is_valid(&server, &old) && is_valid(&other, &old));
    let new = rotate(&server, &old, NEW_SECRET, "1 hour");
    assert_eventually("the new secret is valid", TIMEOUT, || {
        is_valid(&server, &new) && is_valid(&other, &new)
    });
    for _ in 0..10 {
        assert!(is_valid(&server, &old) && is_valid(&other, &old));
        assert!(is_valid(&server, &new) && is_valid(&other, &new));
    }
    server.store(&old, b"x");
    other.store(&new, b"y");
    end_overlap(&server);
    assert_eventually("the old one is refused", TIMEOUT, || {
        !is_valid(&server, &old) && !is_valid(&other, &old)
    });
    assert!(is_valid(&server, &new) && is_valid(&other, &new));
}

#[test]
fn second_rotation_in_the_overlap_ends_the_first_secret() {
    let server = Server::start();
    let other = server.sibling();
    let first = server.system();
    let second = rotate(&server, &first, NEW_SECRET, "1 hour");
    assert_eventually("both are valid", TIMEOUT, || is_valid(&server, &second) && is_valid(&other, &first));
    let third = rotate(&server, &second, "another-new-secret-with-32-characters-or-more", "1 hour");
    assert_eventually("the first is refused", TIMEOUT, || {
        !is_valid(&server, &first) && !is_valid(&other, &first)
    });
    assert_eventually("the others are valid", TIMEOUT, || {
        is_valid(&server, &third) && is_valid(&other, &third)
    });
    assert!(is_valid(&server, &second) && is_valid(&other, &second));
}

#[test]
fn suspended_system_is_refused_with_either_secret() {
    let server = Server::start();
    let old = server.system();
    let new = rotate(&server, &old, NEW_SECRET, "1 hour");
    server.cli(["system", "suspend", &old.id]).exits(0);
    assert_eventually("refused", TIMEOUT, || !is_valid(&server, &old) && !is_valid(&server, &new));
}

#[test]
fn waiting_for_a_backup_request_with_the_previous_secret_succeeds_until_its_end() {
    let server = Server::start();
    let old = server.system();
    rotate(&server, &old, NEW_SECRET, "1 hour");
    assert_eventually("the old secret is valid", TIMEOUT, || is_valid(&server, &old));
    let mut waiting = server.waiting(&old, 60);
    server.request_backup(&old);
    assert_eq!(crate::harness::request_ids(&waiting.answer()).len(), 1);
    let mut waiting = server.waiting(&old, 2);
    // It waits: the request is known to the appliance.
    end_overlap(&server);
    waiting.answer().is_invalid_token();
}

#[test]
fn link_from_before_a_rotation_is_valid_until_the_end_of_the_overlap() {
    needs_a_folder!();
    let login = Login::new();
    let server = crate::links::signed::local(&login).start();
    let other = server.sibling();
    let old = server.system();
    let id = server.store(&old, b"x");
    let link = || crate::links::signed::link(&server, &login, &old, &id).0;
    let before = link();
    rotate(&server, &old, NEW_SECRET, "1 hour");
    let after = link();
    let at = |url: &str, to: &Server| url.replace(&server.management_url(""), &to.management_url(""));
    for url in [&before, &after] {
        server.at(url).send().status(200);
        other.at(&at(url, &other)).send().status(200);
    }
    end_overlap(&server);
    for to in [&server, &other] {
        crate::links::signed::is_refused(&to.at(&at(&before, to)).send());
        to.at(&at(&after, to)).send().status(200);
    }
}
