//! `--env-file`: commands take their settings from the file that the unit reads.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use tempfile::NamedTempFile;

use crate::harness::{Output, Server, plain_command, run};

fn env_file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::with_prefix("strongroom-env-").expect("make a file");
    fs::write(file.path(), text).expect("fill it");
    file
}

/// Runs a command with this env file, and with these variables beside it.
fn with_file(text: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let file = env_file(text);
    let mut command = plain_command();
    command.args(arguments).arg("--env-file").arg(file.path()).envs(environment.iter().copied());
    run(&mut command)
}

/// Writes settings as an operator may: with quotes, blanks and comments.
fn text_of(server: &Server) -> String {
    let line = |(name, value): (String, String)| format!("# {name}\n  {name} = \"{value}\" \r\n");
    server.settings().into_iter().map(line).collect()
}

const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none?connect_timeout=2";

#[test]
fn commands_read_the_settings_from_an_env_file() {
    let server = Server::start();
    let text = text_of(&server);
    with_file(&text, &["org", "add", "acme"], &[]).exits(0);
    with_file(&text, &["org", "list"], &[]).exits(0).says("acme");
    with_file(&text, &["migrate"], &[]).exits(0);
    let tokens =
        "JWT_HS256_SECRET=a-secret-of-the-operator-that-is-long-enough\nJWT_ISSUER=me\nJWT_AUDIENCE=me\n";
    let issue = ["token", "issue", "--org", "none", "--scope", "backup:view", "--sub", "me"];
    let refused = with_file(&(text + tokens), &issue, &[]).exits(1);
    assert!(refused.stderr.contains("no organization none"), "it asks the database of the file: {refused:?}");
}

#[test]
fn environment_overrides_an_env_file() {
    let server = Server::start();
    let url = server.db.url().to_owned();
    with_file(&text_of(&server), &["org", "list"], &[("DATABASE_URL", NOWHERE)]).exits(3);
    let elsewhere = format!("DATABASE_URL={NOWHERE}\n");
    with_file(&elsewhere, &["org", "list"], &[]).exits(3);
    with_file(&elsewhere, &["org", "list"], &[("DATABASE_URL", &url)]).exits(0);
    // A secret in a file is the same setting.
    let secret = env_file(&url);
    let name = secret.path().to_str().expect("a name");
    with_file(&elsewhere, &["org", "list"], &[("DATABASE_URL_FILE", name)]).exits(0);
}

#[test]
fn variables_of_an_env_file_reach_libraries_and_the_log() {
    let server = Server::start();
    let nowhere = text_of(&server) + "PGOPTIONS=-c no_such_parameter=1\n";
    let refused = with_file(&nowhere, &["org", "list"], &[]);
    assert_ne!(refused.code, 0, "libpq has read PGOPTIONS: {refused:?}");
    let stopped =
        with_file("DATABASE_URL=postgres:///x\nRUST_LOG=trace\nLISTEN_ADDRESS=x\n", &["serve"], &[]).exits(2);
    assert!(stopped.stderr.contains("LISTEN_ADDRESS: \"x\" is not an address"), "{stopped:?}");
}

#[test]
fn line_that_is_no_setting_is_refused_with_its_number() {
    let cases = [
        ("BACKUP_MAX_SIZE_PER_SYTEM=1G", "BACKUP_MAX_SIZE_PER_SYSTEM"),
        ("BACKUP_MAX_SIZE_PER_SYSTEM_FILE=/x", "set BACKUP_MAX_SIZE_PER_SYSTEM itself"),
        ("FOO=1", "FOO: there is no such setting"),
        ("export LISTEN_ADDRESS=127.0.0.1:0", "leave out `export`"),
        ("hunter2", "no `=`"),
        ("LISTEN_ADDRESS='hunter2", "does not end"),
        ("BACKUP_DATA_DIR=var/hunter2", "whole path"),
        ("# hunter2 \\", "backslash"),
    ];
    for command in [&["org", "list"][..], &["serve"], &["migrate"]] {
        for (line, said) in cases {
            let stopped = with_file(&format!("# 1\nDATABASE_URL={NOWHERE}\n{line}\n"), command, &[]).exits(2);
            assert!(
                stopped.stderr.contains(", line 3: ") && stopped.stderr.contains(said),
                "{line}: {stopped:?}"
            );
            assert!(!stopped.stderr.contains("hunter2"), "{stopped:?}");
            assert_eq!(stopped.stderr.lines().count(), 1, "{stopped:?}");
        }
    }
}

#[test]
fn foreign_variables_in_an_env_file_are_accepted() {
    let server = Server::start();
    let foreign = "RUST_BACKTRACE=1\nSSL_CERT_FILE=/nonexistent.pem\nNO_PROXY=*\nPGAPPNAME=x\nTZ=UTC\nMALLOC_ARENA_MAX=2\n";
    with_file(&(text_of(&server) + foreign), &["org", "list"], &[]).exits(0);
}

#[test]
fn env_file_that_cannot_be_read_is_named_with_what_to_do() {
    let missing = run(plain_command().args(["org", "list", "--env-file", "/nonexistent/env"])).exits(2);
    assert!(missing.stderr.contains("/nonexistent/env: could not be read"), "{missing:?}");
    let file = env_file("DATABASE_URL=postgres:///x\n");
    fs::set_permissions(file.path(), Permissions::from_mode(0o000)).expect("chmod");
    let mut command = plain_command();
    command.args(["org", "list", "--env-file"]).arg(file.path());
    if crate::harness::is_root() {
        command.uid(65534).gid(65534);
    }
    let refused = run(&mut command).exits(2);
    assert!(refused.stderr.contains("sudo strongroom"), "{refused:?}");
}

#[test]
fn env_file_without_a_database_is_named() {
    let stopped = with_file("LISTEN_ADDRESS=127.0.0.1:0\n", &["org", "list"], &[]).exits(2);
    assert!(
        stopped.stderr.contains("strongroom-env-") && stopped.stderr.contains("LoadCredential="),
        "{stopped:?}"
    );
}

#[test]
fn completions_need_no_settings() {
    run(plain_command().args(["completions", "bash", "--env-file", "/nonexistent/env"])).exits(0);
}
