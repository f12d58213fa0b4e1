//! `strongroom backup ...` and `strongroom audit`.

use tempfile::TempDir;

use crate::harness::{Server, TIMEOUT, assert_eventually, bytes};

#[test]
fn backups_are_listed_newest_first() {
    let server = Server::start();
    let system = server.system();
    let first = server.store(&system, &bytes(1111));
    let second = server.upload(&system).header("x-filename", "named.tar.gz").body(bytes(2222)).send().id();
    let stranger = server.system();
    let foreign = server.store(&stranger, b"x");
    for name in [&system.key, &system.id] {
        let human = server.cli(["backup", "list", name]).exits(0);
        human.says("named.tar.gz");
        let json = server.cli(["backup", "list", name, "--json"]).exits(0).json().to_string();
        let at = |id: &str| json.find(id).unwrap_or_else(|| panic!("no {id} in {json}"));
        assert!(at(&second) < at(&first));
        assert!(json.contains("1111") && json.contains("2222") && !json.contains(&foreign), "{json}");
    }
    server.cli(["backup", "list", "nobody"]).exits(1);
}

#[test]
fn a_backup_is_fetched_into_a_file() {
    let server = Server::start();
    let system = server.system();
    let body = bytes(3_000_000);
    let id = server.store(&system, &body);
    let folder = TempDir::new().expect("make a folder");
    let file = folder.path().join("restored");
    let path = file.to_string_lossy();
    server.cli(["backup", "fetch", &id, "-o", &path]).exits(0);
    assert!(std::fs::read(&file).expect("the file") == body);
    let unknown = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.bin";
    let other = folder.path().join("other");
    server.cli(["backup", "fetch", unknown, "-o", &other.to_string_lossy()]).exits(1);
    assert!(!other.exists(), "a missing backup makes no empty file");
}

#[test]
fn fetching_a_damaged_backup_fails() {
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let id = server.store(&system, &bytes(100_000));
    let object = server.object_key(&id);
    let mut damaged = server.store.read(&object);
    damaged[50_000] ^= 1;
    server.store.write(&object, &damaged);
    let folder = TempDir::new().expect("make a folder");
    let file = folder.path().join("restored");
    let fetched = server.cli(["backup", "fetch", &id, "-o", &file.to_string_lossy()]).exits(1);
    assert!(!fetched.stderr.is_empty(), "{fetched:?}");
    server.store.remove(&object);
    let lost = server.cli(["backup", "fetch", &id, "-o", &file.to_string_lossy()]);
    assert!([1, 3].contains(&lost.code), "{lost:?}");
}

#[test]
fn operator_deletes_a_backup() {
    let server = Server::start();
    let system = server.system();
    let keep = server.store(&system, &bytes(10));
    let id = server.store(&system, &bytes(20));
    server.cli(["backup", "delete", &id, "--yes", "--json"]).exits(0).json();
    assert_eq!(server.ids(&system), [keep]);
    assert_eq!(server.totals(&system.org), (10, 0));
    assert_eventually("the object is gone", TIMEOUT, || server.objects().len() == 1);
    server.cli(["backup", "delete", &id, "--yes"]).exits(1);
    let actor = server.db.one("SELECT actor FROM backup_events WHERE kind = 'deleted'");
    assert_eq!(actor, "operator");
}

#[test]
fn audit_of_correct_totals_is_clean() {
    let server = Server::start();
    let system = server.system();
    server.store(&system, &bytes(10));
    server.cli(["audit"]).exits(0);
    let report = server.cli(["audit", "--json"]).exits(0).json();
    assert!(report.is_object() || report.is_array(), "{report}");
}

#[test]
fn audit_reports_wrong_totals() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    server.store(&system, &bytes(10));
    for (spoil, repair) in [
        (
            "UPDATE org_usage SET stored_bytes = stored_bytes + 1",
            "UPDATE org_usage SET stored_bytes = stored_bytes - 1",
        ),
        (
            "UPDATE org_usage SET stored_bytes = stored_bytes - 1",
            "UPDATE org_usage SET stored_bytes = stored_bytes + 1",
        ),
        ("UPDATE org_usage SET reserved_bytes = 7", "UPDATE org_usage SET reserved_bytes = 0"),
        ("UPDATE backups SET size_bytes = 11", "UPDATE backups SET size_bytes = 10"),
    ] {
        server.db.execute(spoil);
        let found = server.cli(["audit"]).exits(1);
        found.says(&system.org);
        let report = server.cli(["audit", "--json"]).exits(1).json();
        assert!(report.to_string().contains(&system.org), "{report}");
        server.db.execute(repair);
        server.cli(["audit"]).exits(0);
    }
}

#[test]
fn audit_checks_reservations_of_uploads_under_way() {
    let server = Server::start();
    server.skip_audit();
    let system = server.system();
    let _open = crate::harness::RawClient::upload(&server, &system, &["Content-Length: 100"]);
    assert_eventually("admitted", TIMEOUT, || server.totals(&system.org) == (0, 100));
    server.cli(["audit"]).exits(0);
    server.db.execute("UPDATE backups SET reserved_bytes = 50; UPDATE org_usage SET reserved_bytes = 50");
    server.cli(["audit"]).exits(1);
}

#[test]
fn fetch_does_not_overwrite_a_file() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"the backup");
    let file = tempfile::NamedTempFile::new().expect("make a file");
    std::fs::write(file.path(), "something dear").expect("fill it");
    let refused = server.cli(["backup", "fetch", &id, "-o", &file.path().to_string_lossy()]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(std::fs::read(file.path()).expect("the file"), b"something dear");
}
