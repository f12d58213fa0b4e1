//! `strongroom request`.

use std::process::Stdio;

use crate::harness::{Server, TIMEOUT, assert_eventually, run};

#[test]
fn request_command_creates_and_lists_requests() {
    let server = Server::start();
    let system = server.system();
    server.cli(["request", &system.key]).exits(0).says("requested");
    let listed = server.cli(["request", &system.id, "--list", "--json"]).exits(0).json();
    assert_eq!(listed[0]["state"], "pending");
    assert_eq!(listed[0]["requested_by"], "operator");
    let backup = server.store(&system, b"x");
    let listed = server.cli(["request", &system.id, "--list", "--json"]).exits(0).json();
    assert_eq!(listed[0]["backup_id"], backup.as_str());
    server.cli(["request", &system.id, "--list"]).exits(0).says("fulfilled");
    server.delete(&system, &backup).status(200);
    assert_eventually("its row is gone", TIMEOUT, || server.db.number("SELECT count(*) FROM backups") == 0);
    let listed = server.cli(["request", &system.id, "--list", "--json"]).exits(0).json();
    assert_eq!(listed[0]["backup_id"], backup.as_str(), "the failed command shows the last request");
}

#[test]
fn request_command_waits_for_the_backup_and_prints_its_id() {
    let server = Server::start();
    let system = server.system();
    for json in [false, true] {
        let mut command = server.command(["request", &system.id, "--wait"]);
        if json {
            command.arg("--json");
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start strongroom");
        let open = "SELECT count(*) FROM backup_requests WHERE state = 'pending'";
        assert_eventually("asked", TIMEOUT, || server.db.number(open) == 1);
        let backup = server.store(&system, b"x");
        let ended = child.wait_with_output().expect("the end");
        assert_eq!(ended.status.code(), Some(0));
        let out = String::from_utf8_lossy(&ended.stdout);
        if json {
            let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
            assert_eq!(document["state"], "fulfilled");
            assert_eq!(document["backup_id"], backup.as_str());
        } else {
            assert_eq!(out.trim(), backup);
        }
    }
}

#[test]
fn request_command_exits_with_1_if_no_backup_arrives() {
    let server = Server::start();
    let system = server.system();
    let timed_out = server.cli(["request", &system.id, "--wait", "1"]).exits(1);
    assert_eq!(timed_out.stdout, "");
    assert!(!timed_out.stderr.is_empty());
    let document = server.cli(["request", &system.id, "--wait", "0", "--json"]).exits(1).json();
    assert_eq!(document["state"], "pending");
    let request = document["id"].as_str().expect("an id").to_owned();
    server.cli(["request", &system.id, "--cancel", &request]).exits(0);
    let mut command = server.command(["request", &system.id, "--wait"]);
    let waiting = std::thread::spawn(move || run(&mut command));
    let open = "SELECT id FROM backup_requests WHERE state = 'pending'";
    assert_eventually("the request exists", TIMEOUT, || {
        server.db.number("SELECT count(*) FROM backup_requests") == 2
    });
    server.cli(["request", &system.id, "--cancel", &server.db.one(open)]).exits(0);
    waiting.join().expect("the end").exits(1);
    server.cli(["request", &system.id, "--wait", "x"]).exits(2);
}

#[test]
fn request_command_exits_with_3_without_a_database() {
    let server = Server::start();
    server.skip_audit();
    let mut command = server.command(["request", "anything"]);
    command.env("DATABASE_URL", "postgres://127.0.0.1:1/x");
    run(&mut command).exits(3);
}
