//! The access log: one line for each request that says who has sent it and what came of it.

use crate::harness::{BACKUPS, Login, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, claims};

/// Waits for the only line that begins so; returns what follows.
#[track_caller]
fn line(server: &Server, start: &str) -> String {
    let marked = format!("strongroom::access] {start}");
    let mut lines = Vec::new();
    assert_eventually(&format!("a line {start:?}"), TIMEOUT, || {
        let log = server.log();
        lines = log.lines().filter_map(|line| Some(line.split_once(&marked)?.1.to_owned())).collect();
        !lines.is_empty()
    });
    assert_eq!(lines.len(), 1, "{start}: {lines:?}");
    lines.remove(0)
}

fn of_system(system: &System, id: &str) -> String {
    format!(" client=127.0.0.1 system={} org={} backup={id}", system.key, system.org)
}

#[test]
fn line_of_an_upload_names_system_and_backup_and_reads_are_not_logged() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    let line_of_upload = line(&server, "POST /api/systems/backups 201 received=1000 sent=");
    assert!(line_of_upload.ends_with(&of_system(&system, &id)), "{line_of_upload}");
    server.fetch(&system, &id).send().status(200);
    server.delete(&system, &id).status(200);
    let line_of_deletion = line(&server, &format!("DELETE {BACKUPS}/{id} 200 received=0 sent="));
    assert!(line_of_deletion.ends_with(&of_system(&system, &id)), "{line_of_deletion}");
    assert!(!server.log().contains("strongroom::access] GET"), "{}", server.log());
}

#[test]
fn reads_are_logged_at_debug() {
    let server = Server::with([("RUST_LOG", "info,strongroom::access=debug")]);
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    server.fetch(&system, &id).send().status(200);
    let line = line(&server, &format!("GET {BACKUPS}/{id} 200 received=0 sent=1000 ms="));
    assert!(line.ends_with(&of_system(&system, &id)), "{line}");
}

#[test]
fn line_of_a_wrong_credential_names_the_address_and_repeats_nothing_of_the_credential() {
    let server = Server::start();
    let wrong = System { secret: "a-wrong-secret".to_owned(), ..server.system() };
    server.put(&wrong, b"x").status(401);
    let line = line(&server, "POST /api/systems/backups 401 ");
    assert!(line.ends_with(" client=127.0.0.1"), "{line}");
}

#[test]
fn line_of_a_token_names_its_sub_in_quotes_with_special_characters_escaped() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, &bytes(10));
    let mut all = claims(&system.org, "backup:delete");
    all["sub"] = "portal \" system=fw-02 \u{202e}".into();
    let path = format!("/api/systems/{}/backups/{id}", system.id);
    server.manage("DELETE", &path).bearer(login.key.sign(&all)).send().status(200);
    let line = line(&server, &format!("DELETE {path} 200 "));
    let sub = r#" sub="portal \" system=fw-02 \u{202e}""#;
    assert!(line.ends_with(&format!(" client=127.0.0.1 org={} backup={id}{sub}", system.org)), "{line}");
}

#[test]
fn line_of_a_download_link_has_no_signature() {
    let login = Login::new();
    let server = Server::builder().login(&login).set("RUST_LOG", "debug").start();
    let system = server.system();
    let id = server.store(&system, &bytes(10));
    let link = format!("/api/systems/{}/backups/{id}/download", system.id);
    let token = login.token(&system.org, "backup:view");
    let url = server.manage("GET", &link).bearer(&token).send().status(200).data()["download_url"].clone();
    let url = url.as_str().expect("an address");
    // A link to an engine does not come back to the service.
    let Some((_, query)) = url.split_once("/api/downloads/").and_then(|(_, rest)| rest.split_once('?'))
    else {
        return;
    };
    server.get(&format!("/api/downloads/{id}?{query}")).send().status(200);
    let logged = line(&server, &format!("GET /api/downloads/{id} 200 "));
    assert!(logged.ends_with(&format!(" backup={id}")), "{logged}");
    let signature = query.split_once("signature=").expect("a signature").1;
    assert!(!server.log().contains(signature));
}

#[test]
fn line_of_an_upload_that_is_broken_off_says_so() {
    let server = Server::start();
    let system = server.system();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 2000"]);
    raw.send(bytes(700));
    assert_eventually("the upload is admitted", TIMEOUT, || server.receiving() == 1);
    raw.disconnect(crate::harness::Disconnect::Rst);
    // How much the server has read when the reset arrives depends on the machine.
    let line = line(&server, "POST /api/systems/backups disconnected received=");
    let received: u64 = line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert!(received <= 700 && line.contains(" sent=0 ms="), "{line}");
    // The upload has an id as soon as it is admitted, which the request may not have learnt yet.
    let of_system = format!(" system={} org={}", system.key, system.org);
    assert!(line.contains(&of_system), "{line}");
}
