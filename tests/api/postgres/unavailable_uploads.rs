//! Uploads that are answered 503 because Postgres is away, and that are never sent again: the status of their systems has them
//! when Postgres is back.

use crate::harness::{
    Disconnect, LinkFault, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, sample,
};

fn reason(server: &Server, system: &System) -> String {
    let sql = "SELECT coalesce(refused_reason, 'none') FROM systems WHERE id =";
    server.db.one(&format!("{sql} '{}'", system.id))
}

fn refusals(server: &Server, system: &System) -> i64 {
    let sql = "SELECT count(*) FROM backup_events WHERE kind = 'refused' AND detail = '{\"reason\": \"unavailable\"}'
        AND system_id =";
    server.db.number(&format!("{sql} '{}'", system.id))
}

/// Sends an upload while Postgres is away.
#[track_caller]
fn is_unavailable(server: &Server, system: &System) {
    server.put(system, &bytes(10)).is_unavailable();
}

#[test]
fn upload_that_came_while_postgres_was_away_is_a_refusal() {
    let (link, server) = Server::on_a_link();
    let process = Server::builder().database(&server.db).store(&server.store).start();
    for fault in [LinkFault::Refused, LinkFault::BlackHole] {
        let (stored, never, other) = (server.system(), server.system(), server.system());
        // Another process: this one would remember for a moment that the credential is right.
        process.store(&stored, &bytes(10));
        link.inject(fault);
        is_unavailable(&server, &stored);
        is_unavailable(&server, &stored);
        is_unavailable(&server, &never);
        link.repair();
        for system in [&stored, &never] {
            assert_eventually("the refusal is recorded", TIMEOUT, || {
                reason(&server, system) == "unavailable"
            });
            assert_eventually("the history as well", TIMEOUT, || refusals(&server, system) == 1);
        }
        assert_eq!(reason(&server, &other), "none");
        let row = |columns: &str| {
            server.db.one(&format!("SELECT {columns} FROM systems WHERE id = '{}'", stored.id))
        };
        assert_eq!(row("last_refusal_reason"), "unavailable");
        assert_eq!(row("last_refusal_at = refused_at AND refused_upload_at = refused_at"), "true");
        assert_eq!(row("refused_since < refused_at AND refused_since > last_backup_at"), "true");
        assert_eq!(row("host(last_seen_from) || ' ' || (last_seen_at = refused_at)"), "127.0.0.1 true");
        let status = format!("SELECT status FROM support_systems WHERE system_id = '{}'", stored.id);
        assert_eq!(server.db.one(&status), "refused");
        server.store(&stored, &bytes(10));
        assert_eq!(server.db.one(&status), "fresh", "a stored backup ends it");
    }
}

#[test]
fn client_that_gives_up_while_its_credential_is_looked_up_leaves_a_refusal() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let open = || sample(&server.metrics(), r#"strongroom_http_connections{api="collect"}"#);
    let before = open();
    link.inject(LinkFault::BlackHole);
    assert_eventually("a request is given up", TIMEOUT, || {
        RawClient::upload(&server, &system, &["Content-Length: 10"]).disconnect(Disconnect::Rst);
        server.log().contains("POST /api/systems/backups disconnected")
    });
    // A request that is still under way would go on after the repair, and its own refusal would be the last one.
    assert_eventually("all requests are given up", TIMEOUT, || open() <= before);
    link.repair();
    assert_eventually("the refusal is recorded", TIMEOUT, || reason(&server, &system) == "unavailable");
    assert_eventually("the history as well", TIMEOUT, || refusals(&server, &system) == 1);
}

#[test]
fn wrong_credential_is_nobodys_refusal() {
    let (link, server) = Server::on_a_link();
    let (system, suspended, control) = (server.system(), server.system(), server.system());
    server.cli(["system", "suspend", &suspended.id]).exits(0);
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &System { secret: "wrong".to_owned(), ..system.clone() });
    is_unavailable(&server, &System { key: "nobody".to_owned(), ..system.clone() });
    is_unavailable(&server, &suspended);
    server.request("GET", crate::harness::BACKUPS).user(&system).send().is_unavailable();
    is_unavailable(&server, &control);
    link.repair();
    // They are written in one statement.
    assert_eventually("the refusal is recorded", TIMEOUT, || reason(&server, &control) == "unavailable");
    assert_eq!((reason(&server, &system).as_str(), refusals(&server, &system)), ("none", 0));
    // It shows when the system is resumed.
    assert_eq!(reason(&server, &suspended), "unavailable");
}

#[test]
fn previous_secret_counts_until_its_end() {
    let (link, server) = Server::on_a_link();
    let (valid, ended) = (server.system(), server.system());
    let rotate = |system: &System, until: &str| {
        server.db.execute(&format!(
            "UPDATE systems SET previous_secret_sha256 = secret_sha256, previous_secret_until = {until},
                 secret_sha256 = sha256(random()::text::bytea) WHERE id = '{}'",
            system.id
        ));
    };
    rotate(&valid, "now() + interval '1 hour'");
    rotate(&ended, "now() - interval '1 second'");
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &ended);
    is_unavailable(&server, &valid);
    link.repair();
    assert_eventually("the refusal is recorded", TIMEOUT, || reason(&server, &valid) == "unavailable");
    assert_eq!(reason(&server, &ended), "none");
}

#[test]
fn backup_that_was_admitted_later_by_another_process_is_newer() {
    let (link, server) = Server::on_a_link();
    let other = Server::builder().database(&server.db).store(&server.store).start();
    let system = server.system();
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &system);
    other.store(&system, &bytes(10));
    link.repair();
    assert_eventually("the history has it", TIMEOUT, || refusals(&server, &system) == 1);
    assert_eq!(reason(&server, &system), "none");
    assert_eq!(server.db.one("SELECT last_refusal_reason FROM systems"), "unavailable");
    assert_eq!(server.db.one("SELECT status FROM support_systems"), "fresh");
}

#[test]
fn backup_that_was_sent_last_decides_whichever_was_stored_last() {
    let (link, server) = Server::on_a_link();
    // This process would remember for a moment that the credentials are right.
    let process = Server::builder().database(&server.db).store(&server.store).start();
    let (earlier, later) = (server.system(), server.system());
    for system in [&earlier, &later] {
        process.store(system, &bytes(10));
        process.store(system, &bytes(10));
        // The second one was stored after the refusal and sent before it. When was the first one sent?
        server.db.execute(&format!(
            "UPDATE backups SET uploaded_at = now() + interval '1 hour', admitted_at = now() - interval '1 hour'
                 WHERE system_id = '{}' AND seq = 2",
            system.id
        ));
    }
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &later);
    is_unavailable(&server, &earlier);
    server.db.execute(&format!(
        "UPDATE backups SET admitted_at = clock_timestamp() WHERE system_id = '{}' AND seq = 1",
        later.id
    ));
    link.repair();
    assert_eventually("the refusal is recorded", TIMEOUT, || reason(&server, &earlier) == "unavailable");
    assert_eventually("the history has the other", TIMEOUT, || refusals(&server, &later) == 1);
    assert_eq!(reason(&server, &later), "none");
}

#[test]
fn refusal_of_a_locked_system_is_recorded_later_and_does_not_delay_the_others() {
    let (link, server) = Server::on_a_link();
    let (locked, free) = (server.system(), server.system());
    let mut session = server.db.session();
    let lock = format!("BEGIN; SELECT FROM systems WHERE id = '{}' FOR UPDATE", locked.id);
    diesel::connection::SimpleConnection::batch_execute(&mut session.conn, &lock).expect("locked");
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &locked);
    is_unavailable(&server, &free);
    link.repair();
    assert_eventually("one is recorded", TIMEOUT, || reason(&server, &free) == "unavailable");
    assert_eq!(reason(&server, &locked), "none");
    drop(session);
    assert_eventually("the other as well", TIMEOUT, || reason(&server, &locked) == "unavailable");
    assert_eventually("and its event", TIMEOUT, || refusals(&server, &locked) == 1);
}

#[test]
fn service_that_stops_after_postgres_returned_writes_the_refusals_first() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &system);
    link.repair();
    assert!(server.stop_gracefully().success());
    assert_eq!((reason(&server, &system).as_str(), refusals(&server, &system)), ("unavailable", 1));
}

#[test]
fn unchanged_report_right_after_the_return_does_not_count() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    server.store(&system, &bytes(10));
    link.inject(LinkFault::Refused);
    is_unavailable(&server, &system);
    link.repair();
    let path = "/api/systems/backups/unchanged";
    assert_eventually("the credential is checked", TIMEOUT, || {
        let answer = server.request("POST", path).user(&system).send();
        if answer.status == 503 {
            return false;
        }
        assert_eq!(answer.status(200).data()["upload_wanted"], true);
        true
    });
    assert_eq!(server.db.one("SELECT unchanged_at FROM systems"), "null");
}

#[test]
fn attempts_in_one_outage_are_one_event_and_nothing_of_the_secret_is_logged() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    link.inject(LinkFault::Refused);
    for _ in 0..5 {
        is_unavailable(&server, &system);
    }
    link.repair();
    assert_eventually("the refusal is recorded", TIMEOUT, || refusals(&server, &system) == 1);
    assert_eq!(reason(&server, &system), "unavailable");
    assert!(!server.log().contains(&system.secret));
    assert_eventually("the task has done its work", TIMEOUT, || {
        server.get("/api/health").send().status == 200
    });
}
