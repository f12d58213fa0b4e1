//! The limit of concurrent downloads, and what ends those that are under way.

use crate::auth::rotation_overlap::{NEW_SECRET, end_overlap, rotate};
use crate::download::stalled_clients::{LARGE, descriptors, large_backup, stalled};
use crate::harness::{
    BACKUPS, Disconnect, Login, RawClient, Server, System, TIMEOUT, assert_eventually, bare_head, head, run,
    sample,
};
use crate::links::signed::{link, local};

fn under_way(server: &Server) -> f64 {
    sample(&server.metrics(), "strongroom_downloads_open")
}

#[track_caller]
fn becomes(server: &Server, count: f64) {
    assert_eventually(&format!("{count} downloads"), TIMEOUT, || (under_way(server) - count).abs() < 0.5);
}

/// Begins a download by a signed address that the client does not read.
fn stalled_by_link(server: &Server, url: &str) -> RawClient {
    let path = url.strip_prefix(&server.management_url("")).expect("an address of this server");
    let mut raw = RawClient::to_management(server);
    raw.send(bare_head("GET", path, &[]));
    raw
}

/// Begins a portal's download that the client does not read.
fn stalled_by_token(server: &Server, token: &str, system: &System, id: &str) -> RawClient {
    let mut raw = RawClient::to_management(server);
    let authorization = format!("Authorization: Bearer {token}");
    raw.send(bare_head("GET", &format!("/backup/{}/{id}", system.id), &[&authorization, "X-Download: true"]));
    raw
}

#[test]
fn system_and_its_portals_have_at_most_eight_downloads_each() {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let (system, id) = large_backup(&server);
    let (other, another) = (server.system(), server.system());
    let small = server.store(&other, b"x");
    let token = login.token(&system.org, "backup:view");
    let by_token: Vec<RawClient> = (0..8).map(|_| stalled_by_token(&server, &token, &system, &id)).collect();
    becomes(&server, 8.0);
    // The downloads of a token's owner do not prevent the appliance's own.
    server.fetch(&system, &id).header("range", "bytes=0-9").send().status(206);
    let mut wires: Vec<RawClient> = (0..8).map(|_| stalled(&server, &system, &id)).collect();
    becomes(&server, 16.0);
    let refused = server.fetch(&system, &id).send().status(429);
    assert_eq!(refused.message(), "too many downloads in progress");
    assert_eq!((refused.retry_after(), &refused.data()["retry_after_seconds"]), (5, &5.into()));
    for what in ["x-download", "x-view"] {
        let path = format!("/backup/{}/{id}", system.id);
        let portal = server.manage("GET", &path).bearer(&token).header(what, "true").send();
        if what == "x-download" {
            portal.is_gateway_error(429, "too_many_downloads", &server.management_url(""));
            assert_eq!(portal.must_have("retry-after"), "5");
        } else {
            assert_eq!(portal.status, 415, "the backup is too large to be shown: {portal}");
        }
    }
    // These requests open no object.
    server.request("HEAD", &format!("/api/systems/backups/{id}")).user(&system).send().status(200);
    server.list(&system);
    server.fetch(&other, &small).send().status(200);
    server.store(&another, b"x");
    wires.remove(0).disconnect(Disconnect::Rst);
    assert_eventually("another download is permitted again", TIMEOUT, || {
        server.fetch(&system, &id).header("range", "bytes=0-9").send().status == 206
    });
    drop((wires, by_token));
    becomes(&server, 0.0);
}

#[test]
fn download_limit_is_released_however_a_download_ends() {
    let server = Server::unlimited();
    let (system, id) = large_backup(&server);
    for _ in 0..3 {
        for how in [Disconnect::Fin, Disconnect::Rst] {
            let mut raw = stalled(&server, &system, &id);
            raw.try_read(100_000).expect("the beginning");
            raw.disconnect(how);
        }
        assert_eq!(server.fetch(&system, &id).send().status(200).body.len(), LARGE);
        server.fetch(&system, &id).header("range", "bytes=99999999-").send().status(416);
        server.request("HEAD", &format!("/api/systems/backups/{id}")).user(&system).send().status(200);
        let mut raw = RawClient::to(&server);
        // Two requests on one connection; the client disconnects before it has read either answer.
        let again = head("GET", &format!("/api/systems/backups/{id}"), &system, &[]);
        raw.send([again.as_str(), again.as_str()].concat());
        raw.disconnect(Disconnect::Fin);
        becomes(&server, 0.0);
    }
}

#[test]
fn one_link_has_at_most_four_downloads_apart_from_its_systems() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let (system, id) = large_backup(&server);
    // The addresses differ in the second at which they expire.
    let (one, _) = link(&server, &login, &system, &id);
    let other = || link(&server, &login, &system, &id).0;
    assert_eventually("a second passes", TIMEOUT, || other() != one);
    let wires: Vec<RawClient> = (0..4).map(|_| stalled_by_link(&server, &one)).collect();
    becomes(&server, 4.0);
    let refused = server.at(&one).send().status(429);
    assert_eq!(refused.message(), "too many downloads in progress");
    server.at(&other()).header("range", "bytes=0-9").send().status(206);
    let appliance: Vec<RawClient> = (0..8).map(|_| stalled(&server, &system, &id)).collect();
    becomes(&server, 12.0);
    server.at(&other()).header("range", "bytes=0-9").send().status(206);
    drop((wires, appliance));
    becomes(&server, 0.0);
}

/// Checks that this change of the system ends the appliance's download and the one by a link. The portal's
/// continues while the system exists.
fn end_after(command: &[&str]) {
    let login = Login::new();
    let server = local(&login).start();
    let (system, id) = large_backup(&server);
    let token = login.token(&system.org, "backup:view");
    let mut wires = [
        stalled_by_token(&server, &token, &system, &id),
        stalled(&server, &system, &id),
        stalled_by_link(&server, &link(&server, &login, &system, &id).0),
    ];
    becomes(&server, 3.0);
    assert_eventually("their files are open", TIMEOUT, || descriptors(&server, &id) == 3);
    run(server.command(["system"]).args(command).arg(&system.id)).exits(0);
    // Much sooner than the idle timeout.
    assert_eventually("the appliance's download and the one by link end", TIMEOUT, || {
        under_way(&server) < 1.5
    });
    for raw in &mut wires[1..] {
        assert!(raw.try_answer().is_err(), "a cut answer must not look complete");
    }
    if command[0] == "destroy" {
        becomes(&server, 0.0);
    } else {
        assert_eq!(wires[0].answer().body.len(), LARGE);
    }
}

#[test]
fn suspension_ends_downloads_under_way_by_credential_and_by_link() {
    needs_a_folder!();
    end_after(&["suspend"]);
}

#[test]
fn rotation_ends_downloads_under_way_by_the_old_secret_and_by_link() {
    needs_a_folder!();
    end_after(&["rotate-secret"]);
}

#[test]
fn destruction_ends_all_downloads_under_way() {
    needs_a_folder!();
    end_after(&["destroy", "--yes"]);
}

#[test]
fn end_of_an_overlap_ends_downloads_under_way_by_the_previous_secret_and_by_earlier_links() {
    needs_a_folder!();
    let login = Login::new();
    let server = local(&login).start();
    let (old, id) = large_backup(&server);
    let before = link(&server, &login, &old, &id).0;
    let new = rotate(&server, &old, NEW_SECRET, "1 hour");
    assert_eventually("the new secret is valid", TIMEOUT, || {
        server.get(BACKUPS).user(&new).send().status == 200
    });
    let mut wires =
        [stalled(&server, &new, &id), stalled(&server, &old, &id), stalled_by_link(&server, &before)];
    becomes(&server, 3.0);
    let checks = || sample(&server.metrics(), r#"strongroom_task_runs_total{result="ok",task="revoke"}"#);
    let two_later = checks() + 2.0;
    assert_eventually("they are checked", TIMEOUT, || checks() >= two_later);
    becomes(&server, 3.0);
    end_overlap(&server);
    assert_eventually("two of them end", TIMEOUT, || under_way(&server) < 1.5);
    for raw in &mut wires[1..] {
        assert!(raw.try_answer().is_err(), "a cut answer must not look complete");
    }
    assert_eq!(wires[0].answer().body.len(), LARGE);
}
