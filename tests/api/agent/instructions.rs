//! The commands in the agent's README, run as they are written there; and how its units stop.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::repository;
use crate::harness::{Appliance, Server, TIMEOUT, assert_eventually};

/// Returns the commands of the chapter, without those of which `is_run` says no.
fn commands(chapter: &str, is_run: impl Fn(&str) -> bool) -> String {
    let readme = fs::read_to_string(repository().join("deploy/appliance/README.md")).expect("the README");
    let (_, text) = readme.split_once(&format!("\n## {chapter}\n")).expect("the chapter");
    let text = text.split("\n## ").next().unwrap_or_default();
    let commands = text.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| is_run(line));
    commands.flat_map(|line| [line, "\n"]).collect()
}

/// Runs the commands in this folder, with the keys in it and without a person who types a passphrase.
fn sh(folder: &Path, commands: &str) -> Output {
    let gnupg = folder.join("gnupg");
    if !gnupg.exists() {
        let mut mkdir = Command::new("mkdir");
        assert!(mkdir.args(["-m", "700"]).arg(&gnupg).status().expect("run mkdir").success());
        fs::write(gnupg.join("gpg.conf"), "batch\npinentry-mode loopback\npassphrase-file passphrase\n")
            .expect("write gpg.conf");
    }
    let mut shell = Command::new("sh");
    shell.args(["-euxc", commands]).current_dir(folder).env("GNUPGHOME", &gnupg).env("LC_ALL", "C");
    let done = shell.output().expect("run a shell");
    let _ = Command::new("gpgconf").arg("--homedir").arg(&gnupg).args(["--kill", "all"]).status();
    assert!(done.status.success(), "{commands}{}", String::from_utf8_lossy(&done.stderr));
    done
}

#[test]
fn key_pair_of_the_instructions_encrypts_a_backup_and_restores_it() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);

    let keys = commands("The key", |_| true);
    assert!(keys.contains("--quick-generate-key"), "{keys}");
    let listed = sh(&appliance.path(""), &keys).stdout;
    let listed = String::from_utf8_lossy(&listed);
    assert!(listed.lines().any(|line| line.starts_with("sub ") && line.contains("[E]")), "{listed}");

    appliance.configure(&server, "RECIPIENT_FILE", "backup-public.asc");
    appliance.run(&["backup"]).done("stored ");
    assert_eq!(server.db.number("SELECT count(*) FROM backups WHERE encrypted"), 1);

    // On another computer, which has only the exported private key and its passphrase.
    let safe = tempfile::TempDir::with_prefix("strongroom-safe-").expect("a folder");
    for file in ["backup-private.asc", "passphrase"] {
        fs::copy(appliance.path(file), safe.path().join(file)).expect("carry it there");
    }
    let file = safe.path().join("backup.tar.gz.gpg");
    appliance.run(&["fetch", "-o", &file.to_string_lossy()]).done("its SHA-256 is right");
    let restore = commands("Trying a restore", |line| !line.starts_with("strongroom-agent "));
    let list = sh(safe.path(), &format!("gpg --import backup-private.asc\n{restore}")).stdout;
    let list = String::from_utf8_lossy(&list);
    assert!(list.contains("etc/network/interfaces"), "{list}");
}

#[test]
fn instructions_leave_the_settings_directory_open_to_the_service() {
    let installing = commands("Installing", |line| line.ends_with("/etc/strongroom"));
    assert_eq!(installing.trim(), "install -d -m 755 /etc/strongroom");
    // What is secret is for root alone.
    let secrets = commands("Installing", |line| line.contains("agent.conf") || line.contains("credential"));
    assert!(secrets.lines().all(|line| line.contains("-m 600") || line.contains("umask 077")), "{secrets}");
}

#[test]
fn stop_of_the_agent_is_a_success_for_its_units() {
    let server = Server::start();
    let appliance = Appliance::of(&server, &server.system());
    let mut waiting = appliance.start(&["wait"]);
    assert_eventually("it waits", TIMEOUT, || waiting.is_polling());
    waiting.terminate();
    let code = waiting.ends();
    for name in ["strongroom-agent-wait.service", "strongroom-agent.service"] {
        let unit = fs::read_to_string(repository().join("deploy/appliance").join(name)).expect("a unit");
        assert!(unit.lines().any(|line| line == format!("SuccessExitStatus={code}")), "{code}: {name}");
    }
}
