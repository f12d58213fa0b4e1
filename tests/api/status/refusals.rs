//! Refused and failed uploads: each makes its system `refused`, with its reason, until a later upload is stored.

use super::{refusal, shown, status};
use crate::harness::{
    BACKUPS, Disconnect, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, digest_field, head,
};

fn becomes(server: &Server, system: &System, expected: &str) {
    assert_eventually(expected, TIMEOUT, || refusal(server, system) == expected);
}

#[test]
fn each_refused_upload_makes_its_system_refused_until_one_is_stored() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_UPLOAD_SIZE", 1000).start();
    let system = server.system_with_quota(600);
    let upload = |body: &[u8]| server.put(&system, body);
    let cases: [(&str, &dyn Fn()); 5] = [
        ("size", &|| upload(&bytes(1001)).is_over_size(1000)),
        ("quota", &|| upload(&bytes(700)).is_over_quota()),
        ("digest", &|| {
            let wrong = digest_field(b"another body");
            drop(server.upload(&system).header("content-digest", wrong).body("x").send().status(400));
        }),
        ("malformed", &|| {
            drop(server.upload(&system).header("content-digest", "sha-256").body("x").send().status(400));
        }),
        ("empty", &|| drop(server.upload(&system).chunked("").send().status(400))),
    ];
    for (reason, refuse) in cases {
        refuse();
        becomes(&server, &system, reason);
        server.store(&system, b"a backup");
        assert_eq!(status(&server, &system), "fresh", "{reason}");
        assert_eq!(shown(&server, &system, "last_refusal_reason IS NOT NULL"), "true");
    }
}

#[test]
fn client_that_never_retries_after_the_rate_limit_is_refused() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "1")]);
    let system = server.system();
    server.store(&system, b"x");
    server.put(&system, b"the configuration that the appliance runs on").is_rate_limited();
    becomes(&server, &system, "rate");
    assert_eq!(shown(&server, &system, "freshness"), "fresh", "which is why it is not enough");
}

#[test]
fn slow_upload_is_refused_and_one_without_a_store_too() {
    let server = Server::builder().no_rate_limit().set("BACKUP_BODY_IDLE_TIMEOUT", 1).start();
    let system = server.system();
    server.store(&system, b"x");
    let mut slow = RawClient::upload(&server, &system, &["Content-Length: 50"]);
    drop(slow.answer().status(408));
    becomes(&server, &system, "timeout");
    server.store(&system, b"x");
    server.store.break_store();
    server.put(&system, &bytes(100_000)).is_unavailable();
    becomes(&server, &system, "unavailable");
    server.store.repair_store();
    server.store(&system, b"x");
    assert_eq!(status(&server, &system), "fresh");
}

#[test]
fn upload_of_a_killed_process_is_unavailable() {
    let server = Server::builder().set("BACKUP_LEASE", 4).set("BACKUP_SWEEP_INTERVAL", 1).start();
    let other = server.sibling();
    let system = server.system();
    server.store(&system, b"x");
    let _wire = RawClient::half_an_upload(&server, &system);
    server.kill();
    becomes(&other, &system, "unavailable");
}

#[test]
fn broken_off_upload_counts_only_after_a_minute_and_not_if_it_is_repeated() {
    let server = Server::unlimited();
    let (repeats, gives_up) = (server.system(), server.system());
    for system in [&repeats, &gives_up] {
        server.store(system, b"x");
        let mut raw = RawClient::to(&server);
        raw.send(head("POST", BACKUPS, system, &["Content-Length: 1000000"]));
        assert_eventually("it is under way", TIMEOUT, || server.receiving() == 1);
        raw.disconnect(Disconnect::Rst);
        assert_eventually("it is noted", TIMEOUT, || {
            let noted = format!(
                "SELECT count(*) FROM systems WHERE id = '{}' AND refused_reason = 'interrupted'",
                system.id
            );
            server.db.number(&noted) == 1
        });
        assert_eq!(status(&server, system), "fresh", "it may be repeated");
    }
    server.store(&repeats, b"y");
    server.db.execute(
        "UPDATE systems SET refused_since = refused_since - interval '1 minute' WHERE refused_at IS NOT NULL",
    );
    assert_eq!(status(&server, &repeats), "fresh");
    assert_eq!(refusal(&server, &gives_up), "interrupted");
}

#[test]
fn flood_of_refusals_writes_the_row_once() {
    let server = Server::with([("BACKUP_RATE_LIMIT_PER_MINUTE", "1")]);
    let system = server.system();
    server.store(&system, b"x");
    server.put(&system, b"x").is_rate_limited();
    becomes(&server, &system, "rate");
    let version =
        || server.db.one(&format!("SELECT concat(xmin, ' ', ctid) FROM systems WHERE id = '{}'", system.id));
    // The time when it was last heard of is written with its own pace.
    server.db.execute("UPDATE systems SET last_seen_at = now() + interval '1 hour'");
    let before = version();
    for _ in 0..200 {
        server.put(&system, b"x").is_rate_limited();
    }
    // Whatever was submitted before is written before this.
    server.store(&server.add_system(&system.org, "sibling"), b"x");
    assert_eq!(version(), before);
    assert_eq!(server.db.number("SELECT count(*) FROM backup_events WHERE kind = 'refused'"), 1);
}

#[test]
fn upload_while_the_system_is_suspended_shows_when_it_is_resumed() {
    let server = Server::unlimited();
    let (under_way, idle, quiet) = (server.system(), server.system(), server.system());
    for system in [&under_way, &idle, &quiet] {
        server.store(system, b"x");
    }
    let mut upload = RawClient::half_an_upload(&server, &under_way);
    for system in [&under_way, &idle, &quiet] {
        server.cli(["system", "suspend", &system.id]).exits(0);
    }
    upload.send(bytes(1_000_000));
    drop(upload.answer().status(401));
    server.put(&idle, b"the configuration that the appliance runs on").status(401);
    server.put(&System { secret: "wrong".to_owned(), ..quiet.clone() }, b"of somebody else").status(401);
    // Within a second nothing remembers that they were active.
    for system in [&idle, &quiet] {
        assert_eventually("it is refused", TIMEOUT, || {
            server.request("GET", BACKUPS).user(system).send().status == 401
        });
    }
    assert_eq!(status(&server, &idle), "suspended");
    let is_noted = |system: &System| {
        let sql = format!("SELECT coalesce(refused_reason, 'none') FROM systems WHERE id = '{}'", system.id);
        server.db.one(&sql) == "suspended"
    };
    for system in [&under_way, &idle] {
        assert_eventually("it is noted", TIMEOUT, || is_noted(system));
    }
    // Another process, which has never known that it was active.
    server.db.execute(&format!(
        "UPDATE systems SET refused_at = NULL, refused_reason = NULL, refused_since = NULL, refused_upload_at = NULL WHERE id = '{}'",
        idle.id
    ));
    let other = server.sibling();
    other.put(&idle, b"the configuration that the appliance runs on").status(401);
    assert_eventually("it is noted", TIMEOUT, || is_noted(&idle));
    for system in [&under_way, &idle, &quiet] {
        server.cli(["system", "resume", &system.id]).exits(0);
    }
    assert_eq!(
        [&under_way, &idle, &quiet].map(|system| refusal(&server, system)),
        ["suspended", "suspended", "fresh"]
    );
    assert!(shown(&server, &idle, "status_reason").contains("while the system was suspended"));
    server.store(&idle, b"x");
    assert_eq!(status(&server, &idle), "fresh");
}
