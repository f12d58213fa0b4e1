//! Clients that damage a file on its way: the result is no backup. The real programs, with common options.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{
    Answer, BACKUPS, Curl, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, digest_field,
    sample, sha256_hex,
};

fn file(folder: &Path, content: &[u8]) -> PathBuf {
    let path = folder.join("backup.gpg");
    std::fs::write(&path, content).expect("fill the file");
    path
}

fn curl(server: &Server, system: &System, data: &str, path: &Path) -> Answer {
    let user = format!("{}:{}", system.key, system.secret);
    let curl = Curl::new().args(["--insecure", "--user", &user, &server.url(BACKUPS)]);
    curl.args([data, &format!("@{}", path.display())]).run().answer
}

/// Whether wget succeeded; it does not show the answer.
fn wget(server: &Server, system: &System, program: &[&str], path: &Path) -> bool {
    let credential = crate::harness::basic(&system.key, &system.secret);
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["-q", "-O", "-", "--header", &format!("Authorization: {credential}")]);
    command.arg(format!("--post-file={}", path.display())).arg(server.url(BACKUPS));
    command.output().expect("these tests need wget and busybox").status.success()
}

#[test]
fn file_whose_line_breaks_curl_removed_is_refused() {
    let server = Server::start();
    let system = server.system();
    let folder = tempfile::tempdir().expect("make a folder");
    let before = server.snapshot();
    let answer = curl(&server, &system, "-d", &file(folder.path(), &bytes(100_000)));
    let message = answer.is_validation_error("body");
    assert!(message.contains("--data-binary"), "{message}");
    // The damage shows only in the body, so it uses a slot, as a wrong digest does.
    server.assert_refused(&before, &system, 1);
    // Support staff see it, too.
    let counted = sample(&server.metrics(), r#"strongroom_refusals_total{reason="damaged"}"#);
    assert!((counted - 1.0).abs() < 0.5, "{counted}");
    let shown = format!(
        "SELECT count(*) FROM backup_events WHERE system_id = '{}' AND kind = 'refused' \
         AND detail ->> 'reason' = 'damaged'",
        system.id
    );
    assert_eventually("the refusal is in the history", TIMEOUT, || server.db.number(&shown) == 1);
}

#[test]
fn file_in_a_form_field_is_refused() {
    let server = Server::unlimited();
    let system = server.system();
    let folder = tempfile::tempdir().expect("make a folder");
    let before = server.snapshot();
    let user = format!("{}:{}", system.key, system.secret);
    for size in [100, 100_000] {
        let field = format!("file@{}", file(folder.path(), &bytes(size)).display());
        let curl = Curl::new().args([
            "--insecure",
            "--user",
            &user,
            &server.url(BACKUPS),
            "--data-urlencode",
            &field,
        ]);
        let message = curl.run().answer.is_validation_error("body");
        assert!(message.contains("--data-binary"), "{message}");
    }
    server.assert_nothing_left(&before);
}

#[test]
fn whole_file_with_the_media_type_of_a_form_is_stored() {
    let server = Server::unlimited();
    let system = server.system();
    let folder = tempfile::tempdir().expect("make a folder");
    let armored =
        format!("-----BEGIN PGP MESSAGE-----\n\n{}", "hQIMA+aaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(1000));
    let one_line = b"a=b&c=d;".repeat(1000);
    for content in [&bytes(100_000)[..], armored.as_bytes(), &one_line, b"x"] {
        let answer = curl(&server, &system, "--data-binary", &file(folder.path(), content));
        assert_eq!(answer.status, 201, "{answer}");
        assert_eq!(answer.data()["sha256"], sha256_hex(content));
        assert_eq!(answer.data()["mimetype"], "application/x-www-form-urlencoded");
    }
}

#[test]
fn file_that_busybox_cut_at_a_zero_byte_is_refused() {
    let server = Server::unlimited();
    let system = server.system();
    let folder = tempfile::tempdir().expect("make a folder");
    let before = server.snapshot();
    let mut content = b"\x85\x02\x0c\x03".to_vec();
    content.extend(bytes(50_000));
    assert!(!wget(&server, &system, &["busybox", "wget"], &file(folder.path(), &content)));
    server.assert_nothing_left(&before);
    let text = "-----BEGIN PGP MESSAGE-----\n\nhQIMA+\n".repeat(2000);
    assert!(wget(&server, &system, &["busybox", "wget"], &file(folder.path(), text.as_bytes())));
    assert_eq!(server.list(&system)[0]["sha256"], sha256_hex(text.as_bytes()));
}

#[test]
fn file_with_a_matching_digest_is_not_taken_for_damaged() {
    let server = Server::unlimited();
    let system = server.system();
    let small = b"\x85\x02\x0c\x03";
    let upload = || server.upload(&system).header("user-agent", "Wget").body(small);
    upload().send().is_validation_error("body");
    upload().header("content-digest", digest_field(small)).send().id();
}

#[test]
fn upload_by_gnu_wget_is_stored_whole() {
    let server = Server::unlimited();
    let system = server.system();
    let folder = tempfile::tempdir().expect("make a folder");
    let content = bytes(50_000);
    assert!(wget(&server, &system, &["wget"], &file(folder.path(), &content)));
    assert_eq!(server.list(&system)[0]["sha256"], sha256_hex(&content));
}

#[test]
fn damage_is_found_across_chunks() {
    let server = Server::unlimited();
    let system = server.system();
    let mut stripped = bytes(20_000);
    stripped.retain(|byte| !b"\n\r\0".contains(byte));
    let form = "Content-Type: application/x-www-form-urlencoded";
    let mut raw = RawClient::upload(&server, &system, &["Transfer-Encoding: chunked", form]);
    for piece in stripped.chunks(999) {
        raw.send(crate::harness::chunk(piece));
    }
    raw.send(crate::harness::chunk(b""));
    raw.answer().is_validation_error("body");
}
