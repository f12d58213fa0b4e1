//! `strongroom backup fetch`: by which id, and where to.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Server, bytes, clean, run_at_terminal};

#[test]
fn backup_is_fetched_by_its_id_with_or_without_extension() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(3_000_000);
    let id = server.store(&system, &body);
    let uuid = id.strip_suffix(".bin").expect("no name, no extension");
    let folder = TempDir::new().expect("make a folder");
    for (count, written) in [id.as_str(), uuid, &uuid.to_uppercase()].into_iter().enumerate() {
        let file = folder.path().join(count.to_string());
        server.cli(["backup", "fetch", written, "-o", &file.to_string_lossy()]).exits(0).says("checked");
        assert!(std::fs::read(&file).expect("the file") == body);
        // To standard output: the bytes and nothing else.
        let fetched =
            server.command(["backup", "fetch", written, "-o", "-"]).output().expect("run strongroom");
        assert_eq!(fetched.status.code(), Some(0), "{}", String::from_utf8_lossy(&fetched.stderr));
        assert!(fetched.stdout == body, "{} bytes", fetched.stdout.len());
        let said = String::from_utf8_lossy(&fetched.stderr);
        assert!(said.contains(&id) && said.contains("checked"), "{said}");
    }
    let file = folder.path().join("wrong");
    let wrong =
        server.cli(["backup", "fetch", &format!("{uuid}.gpg"), "-o", &file.to_string_lossy()]).exits(1);
    assert!(wrong.stderr.contains(&id) && !file.exists(), "{wrong:?}");
    server.cli(["backup", "delete", &format!("{uuid}.gpg"), "--yes"]).exits(1);
    let deleted = server.cli(["backup", "delete", uuid, "--yes", "--json"]).exits(0).json();
    assert_eq!(deleted["id"], id.as_str());
    assert_eq!(server.db.number("SELECT count(*) FROM backups"), 0);
}

#[test]
fn damaged_backup_on_standard_output_is_a_failure() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let object = server.objects().into_iter().next().expect("an object");
    server.store.write(&object, &[b'x'; 1000]);
    let fetched = server.cli(["backup", "fetch", &id, "-o", "-"]).exits(1);
    assert!(fetched.stderr.contains("damaged") && fetched.stderr.contains("do not use"), "{fetched:?}");
    let folder = TempDir::new().expect("make a folder");
    let file = folder.path().join("backup");
    server.cli(["backup", "fetch", &id, "-o", &file.to_string_lossy()]).exits(1);
    assert!(!file.exists(), "a damaged file is not kept");
}

#[test]
fn backup_is_not_written_to_a_terminal() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    // `script` runs the command with a terminal as its standard output.
    let line = format!("{} backup fetch {id} -o -", env!("CARGO_BIN_EXE_strongroom"));
    let mut command = Command::new("script");
    clean(&mut command);
    command.args(["-qec", &line, "/dev/null"]).envs(server.settings());
    let refused = run_at_terminal(&mut command, "").exits(2);
    assert!(refused.stdout.contains("is a terminal"), "{refused:?}");
}
