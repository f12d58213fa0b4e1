//! Secrets that the command line reads, and the one copy of those that it makes.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{BACKUPS, Output, Server, base64, run, sha256_hex};

const SECRET: &str = "0123456789abcdef 0123456789abcdef";

/// Runs `system add` with this file; checks that its output never has the secret.
fn add(server: &Server, key: &str, file: &str, stdin: Option<&Path>) -> Output {
    let mut command = server.command(["system", "add", "--org", "acme", "--name", "x", "--key", key]);
    command.args(["--secret-file", file, "--json"]);
    if let Some(path) = stdin {
        command.stdin(File::open(path).expect("the file"));
    }
    run(&mut command)
}

#[test]
fn secret_is_read_from_a_file_or_from_standard_input() {
    let server = Server::start();
    server.add_org("acme", None);
    let folder = TempDir::with_prefix("strongroom-secret-").expect("make a folder");
    let file = folder.path().join("secret");
    let name = file.to_str().expect("a name");
    let hash = |key: &str| {
        server.db.one(&format!("SELECT encode(secret_sha256, 'hex') FROM systems WHERE system_key = '{key}'"))
    };
    for (number, (text, kept)) in [
        (SECRET.to_owned(), SECRET.to_owned()),
        (format!("{SECRET}\n"), SECRET.to_owned()),
        (format!("{SECRET}\r\n"), SECRET.to_owned()),
        (format!("{SECRET} \n"), format!("{SECRET} ")),
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&file, text).expect("write the secret");
        let (one, other) = (format!("file-{number}"), format!("stdin-{number}"));
        for done in [add(&server, &one, name, None), add(&server, &other, "-", Some(&file))] {
            let done = done.exits(0);
            assert_eq!(done.json()["system_secret"], kept.as_str());
            assert!(!done.stderr.contains("process"), "{done:?}");
        }
        assert_eq!((hash(&one), hash(&other)), (sha256_hex(kept.as_bytes()), sha256_hex(kept.as_bytes())));
    }
    let credential = format!("Basic {}", base64(format!("file-0:{SECRET}").as_bytes()));
    server.get(BACKUPS).header("authorization", credential).send().status(200);
    let new = "another-secret-of-an-operator-32-";
    std::fs::write(&file, new).expect("write the secret");
    server.cli(["system", "rotate-secret", "file-0", "--secret-file", name]).exits(0).says(new);
    assert_eq!(hash("file-0"), sha256_hex(new.as_bytes()));
}

#[test]
fn invalid_secret_is_refused_and_not_repeated() {
    let server = Server::start();
    server.add_org("acme", None);
    let folder = TempDir::with_prefix("strongroom-secret-").expect("make a folder");
    let file = folder.path().join("secret");
    let long = "hunter2".repeat(1000);
    for text in [
        "",
        "\n",
        "hunter2",
        "hunter2hunter2hunter2hunter2hun\n",
        "hunter2hunter2hunter2\nhunter2hunter2",
        &long,
    ] {
        std::fs::write(&file, text).expect("write the secret");
        let refused = add(&server, "x", file.to_str().expect("a name"), None).exits(2);
        assert!(refused.stderr.contains("--secret-file"), "{refused:?}");
        assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
    }
    std::fs::write(&file, b"hunter2\xff hunter2 hunter2 hunter2 hunter2").expect("write the secret");
    let refused = add(&server, "x", file.to_str().expect("a name"), None).exits(2);
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
    // A user mistakes the option for another.
    let refused = add(&server, "x", "hunter2hunter2hunter2hunter2hunter2", None).exits(2);
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
    let mut both = server.command(["system", "rotate-secret", "x", "--secret-file", "-", "--secret", SECRET]);
    run(&mut both).exits(2);
    assert_eq!(server.db.number("SELECT count(*) FROM systems"), 0);
}

#[test]
fn secret_on_the_command_line_causes_a_warning() {
    let server = Server::start();
    let system = server.system();
    let rotated = server.cli(["system", "rotate-secret", &system.key, "--secret", SECRET, "--json"]).exits(0);
    assert_eq!(rotated.json()["system_secret"], SECRET);
    assert!(rotated.stderr.contains("--secret-file") && !rotated.stderr.contains(SECRET), "{rotated:?}");
}

#[test]
fn new_secret_that_could_not_be_printed_is_reported_as_lost() {
    let server = Server::start();
    let system = server.system();
    let lost = |command: &mut Command, stdout: Stdio| {
        let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("start strongroom");
        let ended = child.wait_with_output().expect("wait");
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("rotate-secret"), "{stderr}");
    };
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full");
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    lost(&mut server.command(["system", "rotate-secret", &system.key]), full().into());
    lost(&mut server.command(["system", "rotate-secret", &system.key, "--json"]), closed());
    lost(&mut server.command(["system", "add", "--org", &system.org, "--name", "x"]), closed());
    server.put(&system, b"x").is_invalid_token();
    // A reader that closes the pipe of a list early gets no error message.
    let child = server.command(["system", "list"]).stdout(closed()).spawn().expect("start strongroom");
    assert_eq!(child.wait_with_output().expect("wait").status.code(), Some(0));
}
