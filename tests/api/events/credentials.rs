//! Refused credentials: counted by system and hour.

use super::recorded;
use crate::harness::{Answer, BACKUPS, Server, System, TIMEOUT, assert_eventually, base64};

fn behind_a_proxy() -> Server {
    Server::with([("TRUSTED_PROXIES", "127.0.0.0/8")])
}

fn try_secret(server: &Server, address: &str, key: &str, secret: &str) -> Answer {
    let credential = format!("Basic {}", base64(format!("{key}:{secret}").as_bytes()));
    let request = server.get(BACKUPS).header("x-forwarded-for", address);
    request.header("authorization", credential).send()
}

/// Returns the sum of the counts of a system.
fn count(server: &Server, system: &System) -> i64 {
    server.db.number(&format!(
        "SELECT coalesce(sum((detail ->> 'count')::bigint), 0)::bigint FROM backup_events \
         WHERE kind = 'credential_refused' AND system_id = '{}'",
        system.id
    ))
}

#[test]
fn guesses_at_a_system_are_one_event_an_hour_across_processes() {
    let server = behind_a_proxy();
    let other = server.sibling();
    let (system, untouched) = (server.system(), server.system());
    for n in 0..40 {
        let process = if n % 2 == 0 { &server } else { &other };
        try_secret(process, "192.0.2.7", &system.key, "wrong").is_invalid_token();
        try_secret(process, "192.0.2.8", "no-such-key", "wrong").is_invalid_token();
    }
    server.get(BACKUPS).user(&system).send().status(200);
    assert_eventually("all are counted", TIMEOUT, || count(&server, &system) == 40);
    let events = recorded(&server, "credential_refused");
    assert!(events.len() <= 2, "one for each hour that the test has seen: {events:?}");
    assert!(events.iter().all(|event| event.starts_with("client 192.0.2.7 {")), "{events:?}");
    assert!(events.iter().all(|event| event.contains(r#""suspended": 0"#)), "{events:?}");
    assert_eq!(count(&server, &untouched), 0);
    let columns =
        "SELECT concat_ws(' ', org_id, system_id) FROM backup_events WHERE kind = 'credential_refused'";
    assert!(server.db.all(columns).contains(&format!("{} {}", system.org, system.id)));
    let shown = "SELECT last_credential_refusal_at > now() - interval '1 minute' FROM support_systems WHERE system_key";
    assert_eq!(server.db.one(&format!("{shown} = '{}'", system.key)), "true");
    assert_eq!(server.db.one(&format!("{shown} = '{}'", untouched.key)), "null");
    for (system, is_shown) in [(&system, true), (&untouched, false)] {
        let json = server.cli(["system", "show", &system.key, "--json"]).exits(0).json();
        assert_eq!(json["last_credential_refusal_at"].is_string(), is_shown, "{json}");
    }
    let listed = server.cli(["events", "--kind", "credential_refused"]).exits(0);
    listed.says("within the hour");
}

#[test]
fn right_secret_of_a_suspended_system_is_told_apart() {
    let server = behind_a_proxy();
    let system = server.system();
    server.cli(["system", "suspend", &system.key]).exits(0);
    try_secret(&server, "192.0.2.7", &system.key, "wrong").is_invalid_token();
    for _ in 0..2 {
        try_secret(&server, "192.0.2.9", &system.key, &system.secret).is_invalid_token();
    }
    assert_eventually("all are counted", TIMEOUT, || count(&server, &system) == 3);
    let sum = "SELECT sum((detail ->> 'suspended')::bigint)::bigint FROM backup_events WHERE kind = 'credential_refused'";
    assert_eq!(server.db.number(sum), 2);
}

#[test]
fn counts_of_the_last_seconds_are_written_at_the_end() {
    let server = behind_a_proxy();
    let system = server.system();
    for _ in 0..3 {
        try_secret(&server, "192.0.2.7", &system.key, "wrong").is_invalid_token();
    }
    assert!(server.stop_gracefully().success());
    assert_eq!(count(&server, &system), 3);
}

#[test]
fn counts_wait_for_a_database_that_takes_no_events() {
    let server = behind_a_proxy();
    let system = server.system();
    server.db.execute(
        "ALTER TABLE backup_events ADD CONSTRAINT none CHECK (kind <> 'credential_refused') NOT VALID",
    );
    try_secret(&server, "192.0.2.7", &system.key, "wrong").is_invalid_token();
    assert_eventually("the failure is in the log", TIMEOUT, || {
        server.log().contains("task refused_credentials")
    });
    try_secret(&server, "192.0.2.7", &system.key, "wrong").is_invalid_token();
    server.db.execute("ALTER TABLE backup_events DROP CONSTRAINT none");
    assert_eventually("both are counted", TIMEOUT, || count(&server, &system) == 2);
}

#[test]
fn counts_of_a_locked_system_are_written_later_and_do_not_delay_the_others() {
    let server = behind_a_proxy();
    let (locked, free) = (server.system(), server.system());
    let mut session = server.db.session();
    let lock = format!("BEGIN; SELECT FROM systems WHERE id = '{}' FOR UPDATE", locked.id);
    diesel::connection::SimpleConnection::batch_execute(&mut session.conn, &lock).expect("locked");
    for system in [&locked, &free] {
        try_secret(&server, "192.0.2.7", &system.key, "wrong").is_invalid_token();
    }
    assert_eventually("one is counted", TIMEOUT, || count(&server, &free) == 1);
    assert_eq!(count(&server, &locked), 0);
    drop(session);
    assert_eventually("the other as well", TIMEOUT, || count(&server, &locked) == 1);
}
