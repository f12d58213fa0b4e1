//! What commands print: for people, for programs, and into pipes that are closed.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Database, Server, bytes, plain_command, run};

#[test]
fn completions_are_valid_in_their_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(plain_command().args(["completions", shell])).exits(0).stdout;
        for word in ["set-quota", "rotate-secret", "older-than", "completions"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
        let folder = TempDir::new().expect("make a folder");
        let file = folder.path().join("script");
        std::fs::write(&file, script).expect("write a file");
        match Command::new(shell).arg("-n").arg(&file).stdin(Stdio::null()).output() {
            Ok(checked) => assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}"),
            Err(_) => assert_ne!(shell, "bash", "bash is on every machine"),
        }
    }
}

#[test]
fn completion_of_bash_offers_commands_and_options() {
    let script = run(plain_command().args(["completions", "bash"])).exits(0).stdout;
    for (words, offered) in [
        ("strongroom org de", "delete"),
        ("strongroom backup f", "fetch"),
        ("strongroom audit --s", "--store"),
    ] {
        let split: Vec<&str> = words.split(' ').collect();
        let last = split.len() - 1;
        let test = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={last}; _strongroom strongroom {} {}\n\
             echo \"${{COMPREPLY[*]}}\"",
            split[last],
            split[last - 1]
        );
        let ended = Command::new("bash").args(["-c", &test]).output().expect("run bash");
        assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), offered, "{words}: {ended:?}");
    }
}

#[test]
fn closed_pipe_ends_no_command_in_a_panic() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    let commands: &[&[&str]] = &[
        &["completions", "bash"],
        &["--help"],
        &["serve", "--help"],
        &["org", "list"],
        &["org", "show", &system.org, "--json"],
        &["system", "list"],
        &["system", "show", &system.key],
        &["backup", "list", &system.key, "--json"],
        &["request", &system.key],
        &["request", &system.key, "--list"],
        &["audit"],
        &["audit", "--store"],
        &["sweep"],
        &["migrate"],
    ];
    for command in commands {
        let mut child = server
            .command([])
            .args(*command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start strongroom");
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("read");
        let status = child.wait().expect("wait");
        assert_eq!((status.code(), stderr.contains("panicked")), (Some(0), false), "{command:?}: {stderr}");
    }
    // A failure whose line nobody reads.
    let mut child = server
        .command(["system", "show", "nobody"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("start strongroom");
    drop(child.stderr.take());
    let status = child.wait().expect("wait");
    assert_eq!((status.code(), status.signal()), (Some(1), None));
}

#[test]
fn tables_for_people_fit_120_columns() {
    let server = Server::start();
    server.add_org("acme", None);
    let system = server.add_system("acme", "fw-01");
    let id = server.upload(&system).header("x-filename", "config-2026-11-26.tar.gz").body("x").send().id();
    server.cli(["request", &system.key]).exits(0);
    for arguments in [
        &["org", "list"][..],
        &["org", "show", "acme"],
        &["system", "list"],
        &["system", "show", "fw-01"],
        &["backup", "list", "fw-01"],
        &["request", "fw-01", "--list"],
    ] {
        let printed = run(server.command([]).args(arguments)).exits(0);
        let widest = printed.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= 120), "{arguments:?} {widest:?}: {}", printed.stdout);
        assert!(!printed.stdout.contains('\u{1b}'));
    }
    server.cli(["backup", "list", "fw-01"]).exits(0).says(&id);
}

#[test]
fn system_show_prints_what_support_needs() {
    let server = Server::start();
    let system = server.system();
    let fact = |name: &str| {
        let shown = server.cli(["system", "show", &system.key]).exits(0).stdout;
        let line = shown.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name}: {shown}")).trim().to_owned()
    };
    assert_eq!(
        (fact("state"), fact("backups"), fact("newest backup")),
        ("active".into(), "0".into(), "never".into())
    );
    assert_eq!((fact("last unchanged"), fact("open request")), ("never".into(), "none".into()));
    assert_eq!((fact("last refusal"), fact("id")), ("never".into(), system.id.clone()));
    server.cli(["request", &system.key]).exits(0);
    let request = server.db.one("SELECT id FROM backup_requests");
    assert!(fact("open request").starts_with(&request), "{}", fact("open request"));
    server.store(&system, &bytes(4321));
    server.request("POST", "/api/systems/backups/unchanged").user(&system).send().status(200);
    server.db.execute("UPDATE systems SET last_refusal_at = now(), last_refusal_reason = 'rate'");
    assert_eq!(
        (fact("backups"), fact("bytes"), fact("freshness")),
        ("1".into(), "4.2 KiB (4321)".into(), "fresh".into())
    );
    assert_eq!(fact("open request"), "none");
    for name in ["newest backup", "last unchanged"] {
        assert!(fact(name).ends_with("(less than a minute ago)"), "{name}: {}", fact(name));
    }
    assert!(fact("last refusal").starts_with("rate, "), "{}", fact("last refusal"));
    let json = server.cli(["system", "show", &system.key, "--json"]).exits(0).json();
    for name in
        ["id", "system_key", "org_id", "name", "state", "created_at", "backups", "bytes", "last_backup_at"]
    {
        assert!(!json[name].is_null(), "no {name}: {json}");
    }
    assert_eq!((&json["last_refusal_reason"], &json["freshness"]), (&"rate".into(), &"fresh".into()));
}

#[test]
fn name_with_control_characters_does_not_control_the_terminal() {
    let server = Server::start();
    server.add_org("acme", None);
    server.cli(["system", "add", "--org", "acme", "--name", "one\ntwo\u{1b}[31m"]).exits(0);
    for arguments in [["system", "list"], ["system", "show"]] {
        let mut command = server.command([]);
        command.args(arguments);
        if arguments[1] == "show" {
            command.arg("one\ntwo\u{1b}[31m");
        }
        let printed = run(&mut command).exits(0);
        assert!(printed.stdout.contains("one\\ntwo") && !printed.stdout.contains('\u{1b}'), "{printed:?}");
    }
}

#[test]
fn sizes_and_times_may_have_units() {
    let server = Server::start();
    let quota = || server.db.one("SELECT coalesce(quota_bytes::text, 'default') FROM organizations");
    server.cli(["org", "add", "acme", "--quota", "50G"]).exits(0);
    assert_eq!(quota(), (50_u64 << 30).to_string());
    for (written, bytes) in
        [("999", "999"), ("1.5 GiB", "1610612736"), ("20GB", "20000000000"), ("none", "0")]
    {
        server.cli(["org", "set-quota", "acme", written]).exits(0);
        assert_eq!(quota(), bytes, "{written}");
    }
    for wrong in ["50X", "0", "0G", "much", "1.5", "999999P", ""] {
        server.cli(["org", "set-quota", "acme", wrong]).exits(2);
    }
    let system = server.add_system("acme", "fw-01");
    for timeout in ["0", "0s", "1s"] {
        server.cli(["request", &system.key, "--wait", timeout]).exits(1);
    }
    for wrong in ["x", "1y", "-1"] {
        server.cli(["request", &system.key, "--wait", wrong]).exits(2);
    }
}

#[test]
fn database_without_the_schema_is_answered_with_what_to_do() {
    let database = Database::empty();
    let mut command = plain_command();
    let refused = run(command.args(["org", "list"]).env("DATABASE_URL", database.url())).exits(1);
    assert!(refused.stderr.contains("`strongroom migrate`"), "{refused:?}");
    assert_eq!((refused.stderr.lines().count(), refused.stdout.as_str()), (1, ""));
}
