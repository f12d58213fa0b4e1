//! Commands that can't be undone ask at a terminal, need `--yes` elsewhere, and report how far they came.

use std::io::Write as _;
use std::process::Stdio;

use crate::engine::{Bucket, Fault, Proxy};
use crate::harness::{Server, System, TIMEOUT, assert_eventually, bytes, run, run_at_terminal};

/// Returns a server, a system with one backup and an object without a row, and the commands that would delete
/// them.
fn fixture() -> (Server, System, String, [Vec<String>; 3]) {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(100));
    server
        .store
        .write(&format!("{}/{}/01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.bin", system.org, system.key), b"x");
    server.skip_comparison();
    let words = |line: String| line.split(' ').map(str::to_owned).collect();
    let commands = [
        words(format!("system destroy {}", system.key)),
        words(format!("backup delete {id}")),
        words("sweep --orphans --older-than 0s --force".to_owned()),
    ];
    (server, system, id, commands)
}

#[track_caller]
fn is_untouched(server: &Server, system: &System, id: &str) {
    assert_eq!(server.ids(system), [id]);
    assert_eq!(server.objects().len(), 2);
    assert_eq!(server.totals(&system.org), (100, 0));
    assert_eq!(server.db.all("SELECT state FROM systems"), ["active"]);
}

#[test]
fn without_a_terminal_deletion_needs_the_flag_yes() {
    let (server, system, id, [destroy, delete, _]) = fixture();
    for command in [&destroy, &delete] {
        for piped in ["n\n", "y\n", "yes\n", ""] {
            let mut child = server
                .command([])
                .args(command)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("start strongroom");
            let _ = child.stdin.take().expect("piped").write_all(piped.as_bytes());
            let ended = child.wait_with_output().expect("wait");
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(2), "{command:?} < {piped:?}: {stderr}");
            assert!(stderr.contains("--yes") && stderr.lines().count() == 1, "{command:?}: {stderr}");
        }
        is_untouched(&server, &system, &id);
    }
}

#[test]
fn at_a_terminal_deletion_needs_the_answer_yes() {
    let (server, system, id, commands) = fixture();
    for command in &commands {
        for no in ["", "n", "no", "y", "Yes", "another"] {
            let refused = run_at_terminal(server.command([]).args(command), no).exits(1);
            assert!(refused.stderr.contains("nothing was changed"), "{command:?}, {no:?}: {refused:?}");
        }
        is_untouched(&server, &system, &id);
    }
    let [destroy, delete, sweep] = &commands;
    run_at_terminal(server.command([]).args(sweep), "yes").exits(0);
    assert_eq!(server.objects().len(), 1);
    let asked = run_at_terminal(server.command([]).args(delete), "yes").exits(0);
    assert!(asked.stderr.contains(&id) && asked.stderr.contains(&system.key), "{asked:?}");
    assert_eq!(server.objects().len(), 0);
    let asked = run_at_terminal(server.command([]).args(destroy), &system.key).exits(0);
    assert!(asked.stderr.contains(&system.key), "{asked:?}");
    let name = server.add_system(&system.org, "called so");
    run_at_terminal(server.command([]).args(["system", "destroy", &name.key]), "yes").exits(0);
    assert_eq!(server.db.number("SELECT count(*) FROM systems"), 0);
}

#[test]
fn deletion_without_the_store_changes_no_totals() {
    let (server, system, id, commands) = fixture();
    server.store.make_unavailable();
    for command in &commands[..2] {
        let stopped = run(server.command([]).args(command).arg("--yes")).exits(3);
        assert!(stopped.stderr.contains("nothing was changed"), "{command:?}: {stopped:?}");
        assert_eq!(stopped.stderr.lines().count(), 1, "{stopped:?}");
    }
    server.store.repair_store();
    is_untouched(&server, &system, &id);
}

/// Runs commands on a bucket behind a proxy. The service does not run meanwhile.
fn on_a_bucket(test: impl FnOnce(&Server, &System, &Bucket, &Proxy, &[String; 2])) {
    let bucket = Bucket::new();
    let link = Proxy::new(&bucket.endpoint);
    let server = Server::builder().bucket(&bucket, &link.endpoint()).start();
    let system = server.system();
    let store =
        |name: &str| server.upload(&system).header("X-Filename", name).body(b"x").send().status(201).id();
    let ids = [store("first.tar.gz"), store("second.gpg")];
    server.kill();
    // The check whether the store can delete uses a name that ends in `.bin`.
    link.inject(Fault::Error500, |line| line.starts_with("DELETE") && line.contains(".gpg"));
    test(&server, &system, &bucket, &link, &ids);
}

#[test]
fn destroy_that_fails_half_way_reports_it_and_is_finished_by_the_next() {
    on_a_bucket(|server, system, bucket, link, _| {
        let destroy = ["system", "destroy", &system.key, "--yes"];
        let objects = || bucket.keys().into_iter().filter(|key| key.starts_with(&system.org)).count();
        let stopped = server.cli(destroy).exits(3);
        for word in ["accounting: 2", "erased: 1", "locked out", "again", &system.key] {
            assert!(stopped.stderr.contains(word), "no {word:?}: {stopped:?}");
        }
        assert_eq!(stopped.stderr.lines().filter(|line| line.starts_with("strongroom: ")).count(), 1);
        assert_eq!((objects(), server.totals(&system.org)), (1, (0, 0)));
        assert_eq!(server.db.all("SELECT state FROM systems"), ["destroying"]);
        link.repair();
        server.cli(destroy).exits(0).says("it is gone");
        assert_eq!((objects(), server.db.number("SELECT count(*) FROM systems")), (0, 0));
    });
}

#[test]
fn deletion_that_fails_half_way_reports_it_and_is_finished_by_a_sweep() {
    on_a_bucket(|server, system, bucket, link, [_, id]| {
        let objects = || bucket.keys().into_iter().filter(|key| key.starts_with(&system.org)).count();
        let stopped = server.cli(["backup", "delete", id, "--yes"]).exits(3);
        assert!(stopped.stderr.contains("is deleted") && stopped.stderr.contains("sweep"), "{stopped:?}");
        assert_eq!((objects(), server.totals(&system.org)), (2, (1, 0)));
        link.repair();
        server.cli(["sweep"]).exits(0);
        assert_eventually("its object is gone", TIMEOUT, || objects() == 1);
        assert_eq!(server.db.all("SELECT state FROM backups"), ["stored"]);
    });
}
