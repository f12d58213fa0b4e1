//! A system is found by its key, its id or its name, in every command that takes one.

use crate::harness::{Server, System, bytes};

/// Commands that take a SYSTEM, with words after it.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (&["system", "show"], &[]),
    (&["system", "suspend"], &[]),
    (&["system", "resume"], &[]),
    (&["system", "rotate-secret"], &[]),
    (&["backup", "list"], &[]),
    (&["request"], &[]),
    (&["request"], &["--list"]),
];

fn run(server: &Server, before: &[&str], after: &[&str]) -> crate::harness::Output {
    crate::harness::run(server.command([]).args(before).args(after))
}

fn add(server: &Server, org: &str, key: &str, name: &str) -> System {
    let arguments = ["system", "add", "--org", org, "--key", key, "--name", name, "--json"];
    let added = server.cli(arguments).exits(0).json();
    let text = |key: &str| added[key].as_str().expect("text").to_owned();
    System { id: text("id"), key: text("system_key"), secret: text("system_secret"), org: text("org_id") }
}

#[test]
fn every_command_finds_a_system_by_its_name() {
    let server = Server::start();
    server.add_org("acme", None);
    server.add_org("other", None);
    // The last is like ORG/NAME.
    for name in ["fw-01", "Filiale Köln, 2. Stock", "-x", "a/b/c", "'; DROP TABLE systems; --", "acme/x"] {
        for written in [name.to_owned(), format!("acme/{name}")] {
            add(&server, "acme", "key-1", name);
            add(&server, "other", "key-2", "bystander");
            for (command, after) in COMMANDS {
                let mut words = command.to_vec();
                words.extend_from_slice(after);
                words.extend(["--", written.as_str()]);
                run(&server, &words, &[]).exits(0);
            }
            let destroy = ["system", "destroy", "--yes", "--", &written];
            let refused = server.cli(destroy).exits(1);
            assert!(refused.stderr.contains("the name of system key-1 of organization acme"), "{refused:?}");
            assert_eq!(server.db.number("SELECT count(*) FROM systems WHERE state = 'active'"), 2);
            server.cli(["system", "destroy", "acme/key-1", "--yes"]).exits(0);
            assert_eq!(server.db.all("SELECT system_key FROM systems"), ["key-2"], "{written}");
            server.cli(["system", "destroy", "key-2", "--yes"]).exits(0);
        }
    }
    let by_key = add(&server, "acme", "key-1", "fw-01");
    for written in ["fw-01", "key-1", "acme/key-1", &by_key.id, &by_key.id.to_uppercase()] {
        let shown = server.cli(["system", "show", written, "--org", "acme", "--json"]).exits(0).json();
        assert_eq!(shown["id"], by_key.id.as_str());
        let foreign = server.cli(["system", "show", written, "--org", "other"]).exits(1);
        assert!(foreign.stderr.contains("organization other"), "{foreign:?}");
    }
}

#[test]
fn name_of_several_systems_is_refused_with_their_keys() {
    let server = Server::start();
    server.add_org("acme", None);
    server.add_org("other", None);
    let first = add(&server, "acme", "key-1", "fw-01");
    let second = add(&server, "acme", "key-2", "fw-01");
    let third = add(&server, "other", "key-3", "fw-01");
    for (command, after) in COMMANDS {
        let refused = run(&server, &[command, &["fw-01"][..]].concat(), after).exits(1);
        assert_eq!(refused.stdout, "");
        for system in [&first, &second, &third] {
            let line = refused.stderr.lines().find(|line| line.contains(&system.key));
            let line = line.unwrap_or_else(|| panic!("{} is not listed: {refused:?}", system.key));
            for word in [&system.org, &system.id, "fw-01"] {
                assert!(line.contains(word), "no {word}: {line}");
            }
        }
        assert!(refused.stderr.contains("3 systems") && refused.stderr.contains("--org"), "{refused:?}");
        let in_one = run(&server, &[command, &["acme/fw-01"][..]].concat(), after).exits(1);
        assert!(in_one.stderr.contains("2 systems") && !in_one.stderr.contains("--org"), "{in_one:?}");
        assert!(!in_one.stderr.contains("key-3"), "{in_one:?}");
    }
    server.cli(["system", "destroy", "fw-01", "--yes"]).exits(1);
    assert_eq!(server.db.all("SELECT DISTINCT state FROM systems"), ["active"]);
    for written in [&["other/fw-01"][..], &["fw-01", "--org", "other"]] {
        let shown = run(&server, &["system", "show", "--json"], written).exits(0).json();
        assert_eq!(shown["system_key"], "key-3");
    }
}

#[test]
fn key_and_id_win_over_a_name() {
    let server = Server::start();
    server.add_org("acme", None);
    let meant = add(&server, "acme", "fw-01", "first");
    let named_like_key = add(&server, "acme", "key-2", "fw-01");
    let named_like_id = add(&server, "acme", "key-3", &meant.id);
    for written in ["fw-01", "acme/fw-01", &meant.id] {
        let shown = server.cli(["system", "show", written, "--json"]).exits(0).json();
        assert_eq!(shown["id"], meant.id.as_str(), "{written}");
    }
    for system in [named_like_key, named_like_id] {
        let shown = server.cli(["system", "show", &system.key, "--json"]).exits(0).json();
        assert_eq!(shown["id"], system.id.as_str());
    }
}

#[test]
fn unknown_system_or_organization_suggests_the_nearest() {
    let server = Server::start();
    server.add_org("acme", None);
    let system = add(&server, "acme", "key-1", "fw-01");
    let backup = server.store(&system, &bytes(10));
    let uuid = backup.split_once('.').expect("an extension").0;
    for (arguments, words) in [
        (&["system", "show", "fw-1"][..], &["\"fw-1\"", "did you mean fw-01?", "system list"][..]),
        (&["system", "show", "key-2"], &["did you mean key-1?"]),
        (&["system", "show", "something else"], &["\"something else\"", "system list"]),
        (&["system", "show", "fw-1", "--org", "acme"], &["did you mean fw-01?", "--org acme"]),
        (&["system", "show", "fw-01", "--org", "acne"], &["no organization acne", "did you mean acme?"]),
        (&["system", "list", "--org", "acne"], &["no organization acne", "did you mean acme?"]),
        (&["system", "add", "--org", "acne", "--name", "x"], &["no organization acne", "did you mean acme?"]),
        (&["org", "show", "acne"], &["no organization acne", "did you mean acme?"]),
        (&["org", "set-quota", "acne", "none"], &["no organization acne", "did you mean acme?"]),
        (&["org", "rename", "acne", "--name", "x"], &["no organization acne", "did you mean acme?"]),
        (&["org", "delete", "acne", "--yes"], &["no organization acne", "did you mean acme?"]),
        // An id of another kind.
        (&["backup", "list", &backup], &["is the id of a backup of system key-1"]),
        (&["request", uuid], &["is the id of a backup of system key-1"]),
        (&["backup", "delete", &system.id, "--yes"], &["is the id of system key-1", "backup list key-1"]),
        (&["backup", "fetch", &system.id, "-o", "/dev/shm/no-such-file"], &["is the id of system key-1"]),
    ] {
        let refused = run(&server, arguments, &[]).exits(1);
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
        for word in words {
            assert!(refused.stderr.contains(word), "{arguments:?}: no {word:?}: {refused:?}");
        }
    }
    assert!(!std::path::Path::new("/dev/shm/no-such-file").exists());
    let refused = server.cli(["backup", "delete", "fw-01", "--yes"]).exits(2);
    assert!(refused.stderr.contains("backup list SYSTEM"), "{refused:?}");
}

#[test]
fn the_same_name_twice_is_pointed_out() {
    let server = Server::start();
    server.add_org("acme", None);
    server.add_org("other", None);
    let add = |org: &str, key: &str| {
        server.cli(["system", "add", "--org", org, "--key", key, "--name", "fw-01"]).exits(0).stderr
    };
    assert_eq!(add("acme", "key-1"), "");
    assert_eq!(add("other", "key-2"), "", "another organization's is no reason");
    let list = server.cli(["system", "list"]).exits(0);
    assert!(!list.stdout.contains("(*)"), "{list:?}");
    let warning = add("acme", "key-3");
    assert_eq!(warning.lines().count(), 1, "{warning}");
    assert!(warning.contains("key-1") && warning.contains("\"fw-01\""), "{warning}");
    let list = server.cli(["system", "list"]).exits(0);
    let marked = |key: &str| {
        let line = list.stdout.lines().find(|line| line.contains(key)).expect("a line");
        line.contains("(*)")
    };
    assert_eq!(["key-1", "key-2", "key-3"].map(marked), [true, false, true], "{list:?}");
    let json = server.cli(["system", "list", "--json"]).exits(0).json();
    assert!(json.as_array().expect("a list").iter().all(|system| system["name"] == "fw-01"), "{json}");
}
