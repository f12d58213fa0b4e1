//! Which names an appliance may give its backup, and how they are stored.

use crate::harness::Server;

#[test]
fn a_file_name_is_made_safe() {
    let server = Server::unlimited();
    let system = server.system();
    let table = [
        ("daily.tar.gz", "daily.tar.gz"),
        ("A-b_c.1.bin", "A-b_c.1.bin"),
        ("../../etc/passwd", "passwd"),
        ("/var/tmp/x.gpg", "x.gpg"),
        (r"C:\backups\fw.tar.xz", "fw.tar.xz"),
        (r"mixed\and/both.gpg", "both.gpg"),
        (r"mixed/and\both.gpg", "both.gpg"),
        ("two words.gpg", "two_words.gpg"),
        (r#"quo"te;x=1.gpg"#, "quo_te_x_1.gpg"),
        ("%2e%2e%2fx.gpg", "_2e_2e_2fx.gpg"),
        ("$(reboot)`id`.gpg", "__reboot__id_.gpg"),
        (".hidden.gpg", ".hidden.gpg"),
        ("..gpg", "..gpg"),
        (r#""backup.tar.gz""#, "backup.tar.gz"),
        ("'backup.tar.gz'", "backup.tar.gz"),
        (r#""two words.tar.gz""#, "two_words.tar.gz"),
        (r#"attachment; filename="daily.tar.xz""#, "daily.tar.xz"),
        ("filename=daily.tar.xz", "daily.tar.xz"),
    ];
    for (sent, kept) in table {
        let answer = server.upload(&system).header("x-filename", sent).body("x").send();
        let id = answer.id();
        assert_eq!(answer.data()["filename"], kept, "sent: {sent}");
        let (_, extension) = id.split_once('.').expect("an extension");
        assert_eq!(kept.ends_with(extension), kept != "passwd", "{sent}: {id}");
    }
}

#[test]
fn empty_file_name_counts_as_not_sent() {
    let server = Server::unlimited();
    let system = server.system();
    for sent in ["", ".", "..", ".....", "folder/", r"folder\", "folder/..", "a.tar.gz/"] {
        let answer = server.upload(&system).header("x-filename", sent).body("x").send();
        let id = answer.id();
        assert_eq!(id.split_once('.').map(|(_, extension)| extension), Some("bin"), "{sent:?}");
        assert_eq!(answer.data()["filename"], format!("backup-{id}"), "sent: {sent:?}");
    }
    let answer = server.upload(&system).body("x").send();
    assert_eq!(answer.data()["filename"], format!("backup-{}", answer.id()));
}

#[test]
fn letters_of_other_alphabets_become_underscores() {
    let server = Server::start();
    let system = server.system();
    let answer = server.upload(&system).header("x-filename", "sauvegarde-été-北.tar.gz").body("x").send();
    assert!(answer.id().ends_with(".tar.gz"));
    let kept = answer.data()["filename"].as_str().expect("a name").to_owned();
    assert!(kept.starts_with("sauvegarde-_") && kept.ends_with("_.tar.gz") && kept.contains("_t_"), "{kept}");
    assert!(kept.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{kept}");
}

#[test]
fn a_long_file_name_is_cut_and_keeps_its_extension() {
    let server = Server::unlimited();
    let system = server.system();
    for (extension, stem) in [("tar.gz", 248), ("tar.gz", 249), ("gpg", 300), ("bin", 2000), ("txt", 300)] {
        let sent = format!("{}.{extension}", "a".repeat(stem));
        let answer = server.upload(&system).header("x-filename", &sent).body("x").send();
        let kept = answer.data()["filename"].as_str().expect("a name").to_owned();
        assert_eq!(kept.len(), sent.len().min(255), "{kept}");
        assert!(kept.starts_with("aaa"), "{kept}");
        if extension != "txt" {
            assert!(answer.id().ends_with(&format!(".{extension}")), "{answer}");
            assert!(kept.ends_with(&format!("a.{extension}")), "{kept}");
        }
    }
}

#[test]
fn backup_id_takes_its_extension_from_the_file_name() {
    let server = Server::unlimited();
    let system = server.system();
    let table = [
        ("a.tar.gz", "tar.gz"),
        ("a.tar.xz", "tar.xz"),
        ("a.tar.bz2", "tar.bz2"),
        ("a.tar.zst", "tar.zst"),
        ("a.gpg", "gpg"),
        ("a.bin", "bin"),
        ("A.TAR.GZ", "tar.gz"),
        ("a.Gpg", "gpg"),
        ("backup-1.tar.gz.gpg", "gpg"),
        ("a.gpg.tar.gz", "tar.gz"),
        ("a.gz", "bin"),
        ("a.tgz", "bin"),
        ("a.tar", "bin"),
        ("a.zip", "bin"),
        ("a.gpg.exe", "bin"),
        ("a.gpg.", "bin"),
        ("agpg", "bin"),
        ("a", "bin"),
    ];
    for (sent, extension) in table {
        let id = server.upload(&system).header("x-filename", sent).body("x").send().id();
        assert_eq!(id.split_once('.').map(|(_, extension)| extension), Some(extension), "sent: {sent}");
        assert!(server.object_key(&id).ends_with(&format!(".{extension}")), "sent: {sent}");
    }
}

#[test]
fn mimetype_is_the_content_type_if_valid() {
    let server = Server::unlimited();
    let system = server.system();
    let fallback = "application/octet-stream";
    let table = [
        ("application/gzip", "application/gzip"),
        ("application/pgp-encrypted", "application/pgp-encrypted"),
        ("application/vnd.vendor+zip", "application/vnd.vendor+zip"),
        ("application/octet-stream", fallback),
        ("", fallback),
        ("nonsense", fallback),
        ("application/", fallback),
        ("/gzip", fallback),
        ("a/b/c", fallback),
        ("text/<script>", fallback),
        ("two words/x", fallback),
    ];
    for (sent, kept) in table {
        let answer = server.upload(&system).header("content-type", sent).body("x").send();
        answer.id();
        assert_eq!(answer.data()["mimetype"], kept, "sent: {sent:?}");
    }
    assert_eq!(server.put(&system, b"x").data()["mimetype"], fallback);
    let charset = server.upload(&system).header("content-type", "text/plain; charset=utf-8").body("x").send();
    let kept = charset.data()["mimetype"].as_str().expect("a type").to_owned();
    assert_eq!(kept.replace(' ', ""), "text/plain;charset=utf-8");
}

#[test]
fn file_name_that_is_not_utf_8_is_made_safe() {
    let server = Server::start();
    let system = server.system();
    let head = crate::harness::head(
        "POST",
        crate::harness::BACKUPS,
        &system,
        &["Content-Length: 1", "X-Filename: NAME"],
    );
    let (start, end) = head.split_once("NAME").expect("the name");
    let mut raw = crate::harness::RawClient::to(&server);
    raw.send([start.as_bytes(), b"caf\xe9-\xff.tar.gz", end.as_bytes(), b"x"].concat());
    let answer = raw.answer();
    assert!(answer.id().ends_with(".tar.gz"), "{answer}");
    assert_eq!(answer.data()["filename"], "caf_-_.tar.gz");
}
