//! Secrets are not logged, at the highest log level and in any failure.

use crate::harness::{BACKUPS, RawClient, Server, System, base64, bytes, digest_field, head};

/// Sends every kind of request, valid and invalid.
fn do_everything(server: &Server, system: &System, wrong: &System) {
    let id = server.store(system, &bytes(1000));
    for who in [system, wrong] {
        server.put(who, b"").headers.clear();
        server.upload(who).header("content-digest", digest_field(b"another")).body("x").send();
        server.upload(who).header("content-digest", "banana").chunked("x").send();
        server.get(BACKUPS).user(who).send();
        server.fetch(who, &id).send();
        server.fetch(who, "x").send();
        server.get(&format!("{BACKUPS}/{id}/more")).user(who).send();
        server.request("PUT", BACKUPS).user(who).body("x").send();
        server.delete(who, "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.bin");
        let mut raw = RawClient::to(server);
        raw.send(head("POST", BACKUPS, who, &["Content-Length: 5", "Content-Length: 6"]));
        let _ = raw.try_answer();
        let mut raw = RawClient::to(server);
        raw.send(head("POST", BACKUPS, who, &["Content-Length: 5"]));
        raw.disconnect(crate::harness::Disconnect::Rst);
    }
    server.db.refuse_connections();
    server.put(system, b"x");
    server.get(BACKUPS).user(wrong).send();
    server.db.accept_connections();
    crate::harness::assert_eventually("healthy", crate::harness::TIMEOUT, || {
        server.get("/api/health").send().status == 200
    });
    server.delete(system, &id);
}

#[test]
fn no_secret_is_ever_in_the_log() {
    let server = Server::with([("RUST_LOG", "trace")]);
    let system = server.system();
    let wrong = System { secret: "a-wrong-secret-that-may-be-nearly-right".to_owned(), ..system.clone() };
    do_everything(&server, &system, &wrong);
    let rotated = server.cli(["system", "rotate-secret", &system.key, "--json"]).exits(0).json();
    let new = rotated["system_secret"].as_str().expect("the new secret").to_owned();
    server.stop_gracefully();
    let log = server.log();
    assert!(!log.is_empty());
    for secret in [&system.secret, &wrong.secret, &new] {
        let basic = base64(format!("{}:{secret}", system.key).as_bytes());
        let sha256 = crate::harness::sha256_hex(secret.as_bytes());
        for form in [secret, &basic, &sha256, &base64(secret.as_bytes())] {
            let line = log.lines().find(|line| line.contains(form.as_str()));
            assert_eq!(line, None, "a secret is in the log");
        }
    }
    if let Some((_, password)) = server.db.url().split_once("password=") {
        assert!(!log.contains(password.split('&').next().unwrap_or(password)));
    }
}

#[test]
fn command_line_logs_no_secret() {
    let server = Server::start();
    server.add_org("acme", None);
    let secret = "0123456789abcdef0123456789abcdef";
    let add = || {
        let mut command = server.command(["system", "add", "--org", "acme", "--name", "x", "--key", "FW-1"]);
        command.args(["--secret", secret]).env("RUST_LOG", "trace");
        crate::harness::run(&mut command)
    };
    assert!(!add().exits(0).stderr.contains(secret), "stderr is the log");
    let refused = add().exits(1);
    assert!(!refused.stderr.contains(secret) && !refused.stdout.contains(secret), "{refused:?}");
    let events = server.db.all("SELECT e::text FROM backup_events e").concat();
    assert!(!events.contains(secret));
}

#[test]
fn wrong_database_url_is_not_repeated_in_the_log() {
    let server = Server::start();
    server.skip_audit();
    let tokens = [("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"), ("JWT_JWKS_URL", "https://example.test/keys")];
    let bucket = [("BACKUP_S3_BUCKET", "b"), ("S3_ACCESS_KEY", "k"), ("S3_SECRET_KEY", "s")];
    let settings =
        ["S3_ENDPOINT", "BACKUP_S3_PRESIGN_ENDPOINT", "JWT_JWKS_URL", "PUBLIC_URL", "MANAGEMENT_PUBLIC_URL"];
    for name in settings {
        let mut command = server.command(["serve"]);
        command.envs(tokens).envs(bucket).env("S3_ENDPOINT", "http://127.0.0.1:1");
        command.env(name, "https://somebody:hunter2@example.test/path");
        let stopped = crate::harness::run(&mut command).exits(2);
        assert!(stopped.stderr.contains(name), "{name}: {}", stopped.stderr);
        assert!(!stopped.stderr.contains("hunter2"), "{name}: {}", stopped.stderr);
    }
}
