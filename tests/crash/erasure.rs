//! Two processes erase one system, or an erasure panics.

use std::process::{Child, Stdio};

use crate::crash_fixture::{CrashFixture, FAILPOINT, assert_cleaned_up};
use crate::harness::{Server, System, TIMEOUT, assert_eventually, bytes, on_s3, signal};
use crate::panics::{Panicking, is_degraded, is_healthy, runs};

const ERASED: &str = "SELECT count(*) FROM backup_events WHERE kind = 'erased'";

/// `strongroom system destroy`, paused at this point.
fn destroy_paused_at(server: &Server, system: &System, point: &str) -> Child {
    let mut command = server.command(["system", "destroy", &system.key, "--yes"]);
    command.env(FAILPOINT, format!("stop {point}")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("start the command");
    assert_eventually("the command is paused", TIMEOUT, || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    });
    child
}

/// Waits until the service has finished the erasure of a paused command, whose claim is over.
fn give_key_to_a_new_system(server: &Server, system: &System) -> System {
    let gone = format!("NOT EXISTS (SELECT FROM systems WHERE id = '{}')", system.id);
    assert_eventually("the service finishes the erasure", TIMEOUT * 2, || server.db.holds(&gone));
    let add = ["system", "add", "--org", &system.org, "--name", "new", "--key", &system.key, "--json"];
    let added = server.cli(add).exits(0).json();
    let secret = added["system_secret"].as_str().expect("a secret").to_owned();
    System { secret, id: added["id"].as_str().expect("an id").to_owned(), ..system.clone() }
}

/// The service finishes the erasure of a paused command, whose claim is over. Then another system gets the key.
fn paused_while_the_key_is_given_to_a_new_system(point: &str) {
    let fixture = CrashFixture::new();
    let (server, system) = (&fixture.server, &fixture.system);
    let command = destroy_paused_at(server, system, point);
    let new = give_key_to_a_new_system(server, system);
    let body = bytes(100);
    assert_eventually("the new system may upload", TIMEOUT, || server.put(&new, &body).status == 201);
    let ids = server.ids(&new);
    signal(command.id(), libc::SIGCONT);
    let ended = command.wait_with_output().expect("wait for the command");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(server.ids(&new), ids, "{ended:?}");
    assert_eq!(server.fetch(&new, &ids[0]).send().status(200).body, body);
    assert_eq!(server.db.number(ERASED), 1);
    assert_cleaned_up(server);
}

/// The process that receives the first backup of the new system is paused when its object is there and its row is not.
#[test]
fn erasure_paused_before_its_listing_spares_an_object_that_comes_before_its_row() {
    if on_s3() {
        println!("skipped: in a bucket each row comes first");
        return;
    }
    let fixture = CrashFixture::new();
    let (server, system) = (&fixture.server, &fixture.system);
    let command = destroy_paused_at(server, system, "erase.retired");
    let new = give_key_to_a_new_system(server, system);
    let paused = server.sibling_with(FAILPOINT, "stop upload.ahead");
    let body = bytes(100);
    std::thread::scope(|scope| {
        let uploaded = scope.spawn(|| paused.put(&new, &body).status);
        assert_eventually("the upload is paused", TIMEOUT, || paused.is_stopped());
        signal(command.id(), libc::SIGCONT);
        let ended = command.wait_with_output().expect("wait for the command");
        assert!(ended.status.success(), "{ended:?}");
        paused.signal(libc::SIGCONT);
        assert_eq!(uploaded.join().expect("an answer"), 201);
    });
    let ids = server.ids(&new);
    assert_eq!(server.fetch(&new, &ids[0]).send().status(200).body, body);
    assert_cleaned_up(server);
}

#[test]
fn erasure_paused_before_its_listing_spares_a_new_system_with_the_same_key() {
    paused_while_the_key_is_given_to_a_new_system("erase.retired");
}

#[test]
fn erasure_paused_after_its_listing_spares_a_new_system_with_the_same_key() {
    paused_while_the_key_is_given_to_a_new_system("erase.listed 2");
}

#[test]
fn erasure_that_always_panics_stops_no_other_erasure() {
    let mut fixture = CrashFixture::new();
    let others: Vec<_> = (0..3).map(|_| fixture.server.system()).collect();
    let panicking = Panicking::new();
    fixture.start_with_failpoint(panicking.at(&format!("erase.system.{}", fixture.system.id)));
    let server = &fixture.server;
    for other in &others {
        server.store(other, b"x");
    }
    server.db.execute("UPDATE systems SET state = 'destroying'");
    assert_eventually("the others are erased", TIMEOUT, || server.db.number(ERASED) == 3);
    is_degraded(server, "erase");
    assert!(runs(server, "erase", "panic") > 0.5, "{}", server.metrics());
    let line = format!("the erasure of the system {} panicked; trying again in 10 s", fixture.system.id);
    assert!(server.log().contains(&line), "{}", server.log());
    assert_eq!(server.db.all("SELECT id::text FROM systems"), [fixture.system.id.clone()]);
    drop(panicking);
    assert_eventually("it is erased, too", TIMEOUT * 3, || server.db.number(ERASED) == 4);
    is_healthy(server);
    assert_cleaned_up(server);
    assert!(server.objects().is_empty());
}
