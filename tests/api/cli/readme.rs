//! The commands in README.md work as they are written, in a shell.

use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use crate::common::repository;
use crate::harness::{BACKUPS, Server, System, TIMEOUT, assert_eventually, bytes, clean, run};

/// Returns the lines of the first code block after a line with this text, without their indentation.
fn block_after(text: &str) -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let (_, after) = readme.split_once(text).unwrap_or_else(|| panic!("README.md has no {text:?}"));
    let lines = after.lines().skip_while(|line| !line.starts_with("    "));
    let block: Vec<_> = lines.map_while(|line| line.strip_prefix("    ")).collect();
    assert!(!block.is_empty(), "no code after {text:?}");
    block.join("\n")
}

/// A folder with `strongroom`, for a shell's PATH.
fn bin() -> TempDir {
    let bin = TempDir::with_prefix("strongroom-bin-").expect("make a folder");
    symlink(env!("CARGO_BIN_EXE_strongroom"), bin.path().join("strongroom")).expect("link it");
    bin
}

/// Returns a shell that runs the lines one after the other, until one fails.
fn shell(bin: &TempDir, script: &str) -> Command {
    let mut command = Command::new("bash");
    clean(&mut command);
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").expect("a PATH"));
    command.args(["-euc", script]).env("PATH", path);
    command
}

#[test]
fn commands_of_the_readme_work_as_written() {
    let server = Server::start();
    let bin = bin();
    let script = block_after("## The command line");
    for word in ["org add", "system add", "rotate-secret fw-01", "audit --store", "sweep --orphans"] {
        assert!(script.contains(word), "no {word:?}:\n{script}");
    }
    // Between a request and what follows it, the appliance uploads.
    let lines: Vec<&str> = script.lines().collect();
    let request =
        lines.iter().position(|line| line.starts_with("strongroom request fw-01")).expect("a request");
    let (before, after) = lines.split_at(request + 1);
    let first = run(shell(&bin, &before.join("\n")).envs(server.settings())).exits(0);
    let requested = server.db.one("SELECT id FROM backup_requests WHERE state = 'pending'");
    first.says(&requested);
    let of = |line: &str| line.strip_prefix("system secret:").map(|secret| secret.trim().to_owned());
    let secret = first.stdout.lines().rev().find_map(of).expect("the secret that rotate-secret has printed");
    let (id, key) =
        (server.db.one("SELECT id FROM systems"), server.db.one("SELECT system_key FROM systems"));
    let backup = server.store(&System { id, key, secret, org: "acme".to_owned() }, &bytes(100));
    let rest = run(shell(&bin, &after.join("\n")).envs(server.settings())).exits(0);
    rest.says("the organization totals are right");
    server.cli(["backup", "list", "fw-01"]).exits(0).says(&backup);
}

#[test]
fn token_for_development_is_issued_as_the_readme_says() {
    let bin = bin();
    let block = block_after("To try it without a provider");
    let (exports, rest): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.starts_with("export "));
    assert!(!exports.is_empty() && rest.iter().any(|line| line.contains("token issue")), "{block}");
    // The service has the same settings.
    let names = ["JWT_HS256_SECRET", "JWT_ISSUER", "JWT_AUDIENCE"];
    let print = names.map(|name| format!("echo \"${{{name}}}\"")).join("\n");
    let set = run(&mut shell(&bin, &format!("{}\n{print}", exports.join("\n")))).exits(0);
    let values: Vec<&str> = set.stdout.lines().collect();
    assert_eq!(values.len(), 3, "{set:?}");
    let builder = names.iter().zip(&values).fold(Server::builder(), |b, (name, value)| b.set(name, value));
    let server = builder.start();
    server.add_org("acme", None);
    let system = server.add_system("acme", "fw-01");
    let backup = server.store(&system, &bytes(10));
    let address = server.management_url("");
    let script = rest.join("\n").replace("SYSTEM_ID", &system.id).replace("http://127.0.0.1:8082", &address);
    let listed = run(shell(&bin, &script).envs(server.settings())).exits(0);
    listed.says(&backup);
}

#[test]
fn rotation_of_a_secret_works_as_the_operations_guide_says() {
    let server = Server::start();
    let bin = bin();
    server.add_org("acme", None);
    server.add_system("acme", "fw-01");
    let folder = TempDir::new().expect("make a folder");
    let file = folder.path().join("fw-01.secret");
    std::fs::write(&file, "a secret of your own from a file, long enough\n").expect("write a file");
    let guide = std::fs::read_to_string(repository().join("docs/operations.md")).expect("the guide");
    let line =
        guide.lines().find(|line| line.contains("--secret-file /root/fw-01.secret")).expect("an example");
    let script = line.replace("/root/fw-01.secret", &file.display().to_string());
    let rotated = run(shell(&bin, script.trim()).envs(server.settings())).exits(0);
    rotated.says("a secret of your own from a file");
    assert_eventually("the secret is accepted", TIMEOUT, || {
        let key = server.db.one("SELECT system_key FROM systems");
        let secret = "a secret of your own from a file, long enough".to_owned();
        let system = System { id: String::new(), key, secret, org: "acme".to_owned() };
        server.get(BACKUPS).user(&system).send().status == 200
    });
}
