//! TLS: serving, changing the certificate at runtime, and refusing a wrong pair.

use crate::harness::{
    Certificate, Curl, RawClient, Server, TIMEOUT, assert_eventually, bytes, head, plain_command, run,
};

#[test]
fn backups_are_uploaded_and_downloaded_over_tls() {
    let server = Server::builder().tls(&Certificate::new()).start();
    let system = server.system();
    let body = bytes(3_000_000);
    let id = server.store(&system, &body);
    assert!(server.url("").starts_with("https://"));
    assert!(server.fetch(&system, &id).send().status(200).body == body);
    let mut raw = RawClient::to(&server);
    raw.send(head("GET", crate::harness::BACKUPS, &system, &[]));
    raw.answer().status(200);
}

#[test]
fn plain_http_is_not_served_on_a_tls_port() {
    let server = Server::builder().tls(&Certificate::new()).start();
    let plain = format!("http://{}/api/health", server.address());
    let outcome = Curl::new().args([&plain]).run();
    assert_ne!(outcome.answer.status, 200);
}

#[test]
fn tls_offers_http_1_only() {
    let server = Server::builder().tls(&Certificate::new()).start();
    let outcome =
        Curl::new().args(["--insecure", "--http2", "-w", "%{http_version}", &server.url("/api/health")]);
    let mut version = outcome.run().stdout;
    version.truncate(3);
    assert_eq!(version, "1.1", "over HTTP/2 curl loses early answers");
}

#[test]
fn sighup_replaces_the_certificate() {
    let certificate = Certificate::new();
    let server = Server::builder().tls(&certificate).start();
    let system = server.system();
    let mut running = RawClient::upload(&server, &system, &["Content-Length: 4"]);
    running.send("ab");
    certificate.renew();
    server.signal(libc::SIGHUP);
    assert_eventually("the new certificate is served", TIMEOUT, || {
        let mut raw = RawClient::to(&server);
        raw.try_send(head("GET", "/api/health", &system, &[])).is_ok() && raw.try_answer().is_ok()
    });
    running.send("cd");
    running.answer().id();
}

#[test]
fn mismatched_pair_on_sighup_is_refused_and_the_old_one_kept() {
    let certificate = Certificate::new();
    let server = Server::builder().tls(&certificate).start();
    let system = server.system();
    let is_served = || {
        let mut raw = RawClient::to(&server);
        raw.send(head("GET", "/api/health", &system, &[]));
        raw.answer().status(200);
    };
    for damage in [Certificate::corrupt, Certificate::blank] {
        let said = server.log().len();
        damage(&certificate);
        server.signal(libc::SIGHUP);
        assert_eventually("the log says that the pair was refused", TIMEOUT, || {
            server.log()[said..].lines().any(|line| line.contains("TLS") || line.contains("certificate"))
        });
        is_served();
    }
    certificate.renew();
    server.signal(libc::SIGHUP);
    assert_eventually("a valid pair is used again", TIMEOUT, || {
        let mut raw = RawClient::to(&server);
        raw.try_send(head("GET", "/api/health", &system, &[])).is_ok() && raw.try_answer().is_ok()
    });
}

#[test]
fn mismatched_pair_stops_the_start() {
    let certificate = Certificate::new();
    for damage in [Certificate::corrupt, Certificate::blank] {
        damage(&certificate);
        let mut command = plain_command();
        command.arg("serve").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        command.env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
        command.env("TLS_CERT_FILE", certificate.cert_file()).env("TLS_KEY_FILE", certificate.key_file());
        let stopped = run(&mut command).exits(2);
        assert!(
            stopped.stderr.contains("TLS_CERT_FILE") || stopped.stderr.contains("TLS_KEY_FILE"),
            "{stopped:?}"
        );
    }
}

#[test]
fn sighup_without_tls_is_ignored() {
    let server = Server::start();
    server.signal(libc::SIGHUP);
    let system = server.system();
    server.store(&system, b"x");
}
