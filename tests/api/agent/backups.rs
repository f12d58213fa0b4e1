//! The appliance's agent: when it stores a backup, and what it restores.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{
    Appliance, BACKUPS, Login, RawClient, Server, TIMEOUT, assert_eventually, bytes, on_s3,
};

#[test]
fn agent_uploads_a_changed_configuration_and_reports_an_unchanged_one() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    assert_eq!(server.ids(&system).len(), 1);

    appliance.run(&["backup"]).done("unchanged since ");
    // The file is written again with the same content.
    appliance.change("lan 192.0.2.1/24\n");
    appliance.run(&["backup"]).done("unchanged since ");
    assert_eq!(server.ids(&system).len(), 1);
    assert!(server.db.holds("(SELECT unchanged_at FROM systems) > (SELECT max(uploaded_at) FROM backups)"));

    appliance.change("lan 192.0.2.2/24\n");
    appliance.run(&["backup"]).done("stored ");
    assert_eq!(server.ids(&system).len(), 2);
    appliance.run(&["backup", "--force"]).done("stored ");
    assert_eq!(server.ids(&system).len(), 3);
    let list = appliance.run(&["list"]).done(&server.ids(&system)[0]).text;
    assert_eq!(list.lines().count(), 3, "{list}");
    appliance.left_nothing_behind();
}

#[test]
fn agent_uploads_again_when_the_vault_has_lost_the_backup() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    let id = server.ids(&system).remove(0);
    server.request("DELETE", &format!("{BACKUPS}/{id}")).user(&system).send().status(200);
    appliance.run(&["backup"]).done("stored ");
    assert_eq!(server.ids(&system).len(), 1);
}

#[test]
fn agent_uploads_an_unchanged_configuration_if_that_is_wanted() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    appliance.run(&["backup"]).done("unchanged since ");
    server.db.execute("UPDATE backups SET damage = 'damaged'");
    // The service remembers for a moment what it has read of the system.
    assert_eventually("the agent uploads it again", TIMEOUT, || {
        appliance.run(&["backup"]).exits(0, "");
        server.ids(&system).len() == 2
    });
    assert_eq!(server.db.one("SELECT status FROM support_systems"), "fresh");
    appliance.run(&["backup"]).done("unchanged since ");
    appliance.left_nothing_behind();
}

#[test]
fn agent_restores_with_a_passphrase_or_the_private_key() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    appliance.run(&["restore", "--to", &appliance.path("first").to_string_lossy()]).done("unpacked below");
    appliance.is_restored_in("first");

    fs::create_dir(appliance.path("gnupg")).expect("a folder");
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(appliance.path("gnupg")).args(["--batch", "--quiet", "--yes"]);
        command.args(["--pinentry-mode", "loopback", "--passphrase", ""]).args(arguments);
        assert!(command.status().expect("run gpg").success());
    };
    gpg(&["--quick-gen-key", "backup@example.net", "default", "default", "never"]);
    let key = appliance.path("public.asc");
    gpg(&["--output", &key.to_string_lossy(), "--export", "--armor", "backup@example.net"]);
    appliance.configure(&server, "RECIPIENT_FILE", "public.asc");
    appliance.change("lan 192.0.2.3/24\n");
    appliance.run(&["backup"]).done("stored ");
    assert_eq!(server.db.number("SELECT count(*) FROM backups WHERE encrypted"), 2);
    appliance.run(&["restore", "--to", &appliance.path("second").to_string_lossy()]).done("unpacked below");
    appliance.is_restored_in("second");
    let _ = Command::new("gpgconf")
        .arg("--homedir")
        .arg(appliance.path("gnupg"))
        .args(["--kill", "all"])
        .status();

    let (id, file) = (server.ids(&system).remove(1), appliance.path("ciphertext"));
    appliance.run(&["fetch", &id, "-o", &file.to_string_lossy()]).done("its SHA-256 is right");
    assert_eq!(fs::read(file).expect("the file"), server.fetch(&system, &id).send().status(200).body);
    appliance.left_nothing_behind();
}

#[test]
fn agent_refuses_to_restore_a_damaged_download() {
    if on_s3() {
        return; // In a bucket, the bytes of an object can't be changed without changing its length or its key.
    }
    let server = Server::unlimited();
    server.skip_comparison();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    let object = server.store_root().join(server.objects().pop_first().expect("an object"));
    let mut damaged = fs::read(&object).expect("the object");
    damaged[100_000] ^= 1;
    fs::write(&object, damaged).expect("damage the file");
    let to = appliance.path("restored");
    appliance.run(&["restore", "--to", &to.to_string_lossy()]).exits(1, "does not have its SHA-256");
    assert!(!to.exists());
}

#[test]
fn agent_waits_as_long_as_retry_after_says() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    let open: Vec<_> = (0..4)
        .map(|_| {
            let mut raw = RawClient::upload(&server, &system, &["Content-Length: 1000"]);
            raw.send(bytes(10));
            raw
        })
        .collect();
    assert_eventually("four uploads are open", TIMEOUT, || server.receiving() == 4);
    let mut agent = appliance.start(&["backup"]);
    assert_eventually("the agent gets Retry-After", TIMEOUT * 3, || {
        agent.says("status 429") && agent.says("; again in ")
    });
    drop(open);
    assert_eq!(agent.ends(), 0);
    assert!(agent.says("stored "));
}

#[test]
fn agent_uploads_nothing_if_packing_fails_half_way() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    let conf = fs::read_to_string(appliance.path("agent.conf")).expect("the configuration");
    let with =
        |line: &str| fs::write(appliance.path("agent.conf"), format!("{conf}{line}\n")).expect("write it");
    with("PATHS=\"$PATHS /nonexistent/path\"");
    appliance.run(&["backup"]).exits(1, "tar failed: nothing is stored");
    with("RECIPIENT_FILE=$CREDENTIAL PASSPHRASE_FILE=");
    appliance.run(&["backup"]).exits(1, "packing or encrypting failed: nothing is stored");
    with("PASSPHRASE_FILE=");
    appliance.run(&["backup"]).exits(2, "one of RECIPIENT_FILE and PASSPHRASE_FILE");
    with("");
    appliance.give("user = \"nobody:wrong\"\n");
    appliance.run(&["backup"]).exits(1, "does not know the credential");
    assert_eq!(server.db.number("SELECT count(*) FROM backups"), 0);
    appliance.left_nothing_behind();
}

#[test]
fn agent_answers_a_backup_request_with_an_unchanged_configuration() {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let other = server.sibling();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    let first = server.ids(&system);

    // The portal calls one process; the appliance is connected to another.
    let waiting = appliance.start(&["wait"]);
    assert_eventually("it waits", TIMEOUT, || waiting.is_polling());
    let token = login.token(&system.org, "backup:create backup:view");
    other.manage("POST", &format!("/backup/{}", system.id)).bearer(&token).send().status(202);
    let requests = format!("/api/systems/{}/requests", system.id);
    let mut request = Value::Null;
    assert_eventually("a backup arrives", TIMEOUT * 3, || {
        request =
            other.manage("GET", &requests).bearer(&token).send().status(200).data()["requests"][0].take();
        request["state"] == "fulfilled"
    });
    assert!(waiting.says("a backup was asked for"));
    let ids = server.ids(&system);
    assert_eq!((ids.len(), &request["backup_id"]), (2, &json!(ids[0])));
    assert_eq!(ids[1], first[0]);
    appliance.run(&["restore", "--to", &appliance.path("there").to_string_lossy()]).done(&ids[0]);
    appliance.is_restored_in("there");

    // The agent waits again, and ends on a signal also in the middle of a poll.
    assert_eventually("the agent waits again", TIMEOUT * 3, || {
        waiting.says("stored ") && waiting.is_polling()
    });
    drop(waiting);
    appliance.left_nothing_behind();
}

#[test]
fn daily_run_of_the_agent_answers_a_backup_request() {
    let server = Server::unlimited();
    let system = server.system();
    let appliance = Appliance::of(&server, &system);
    appliance.run(&["backup"]).done("stored ");
    server.cli(["request", &system.key]).exits(0);
    let mut code = String::new();
    assert_eventually("the request is seen within a second or two", TIMEOUT * 3, || {
        code = appliance.run(&["backup"]).done("").text;
        code.contains("stored ")
    });
    assert_eq!(server.ids(&system).len(), 2);
    appliance.run(&["backup"]).done("unchanged since ");
}
