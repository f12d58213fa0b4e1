//! Every path gets the service's envelope, and never a redirect, which would send the secret elsewhere.

use crate::harness::{Answer, BACKUPS, RawClient, Server, head};

const SOME_ID: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.tar.gz";

/// Sends exactly this path, which a normal client would change.
fn ask(server: &Server, request: &str) -> Answer {
    let mut raw = RawClient::to(server);
    raw.send(request);
    raw.answer()
}

#[test]
fn unknown_path_is_404_in_the_error_envelope_and_never_a_redirect() {
    let server = Server::start();
    let system = server.system();
    let one_more = format!("{BACKUPS}/{SOME_ID}/more");
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/systems",
        "/api/systems/",
        "/favicon.ico",
        "/metrics",
        "/docs",
        "/backup/x",
        "/api//systems/backups",
        "/api/systems//backups",
        "/api/systems/backups//",
        "/API/systems/backups",
        "/api/systems/backup",
        "/api/systems/backups.json",
        "/api//health",
        "/api/healthy",
        "/systems/backups",
        &one_more,
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = ask(&server, &head(method, path, &system, &["Content-Length: 0"]));
            assert_eq!(answer.status, 404, "{method} {path}: {answer}");
            answer.data();
            assert_eq!(answer.header("location"), None, "{method} {path}");
        }
    }
}

#[test]
fn path_with_dots_is_404() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    for path in [
        format!("{BACKUPS}/.."),
        format!("{BACKUPS}/../backups"),
        format!("{BACKUPS}/../../systems/backups/{id}"),
        format!("{BACKUPS}/./{id}"),
        format!("{BACKUPS}/{id}/.."),
        format!("{BACKUPS}/%2e%2e/%2e%2e/etc/passwd"),
        format!("{BACKUPS}/..%2f..%2f..%2fetc%2fpasswd"),
        format!("{BACKUPS}/..%5c..%5c{id}"),
        format!("{BACKUPS}%2f{id}"),
    ] {
        for method in ["GET", "DELETE"] {
            let answer = ask(&server, &head(method, &path, &system, &[]));
            assert!([400, 404].contains(&answer.status), "{method} {path}: {answer}");
            answer.data();
        }
    }
    assert_eq!(server.ids(&system), [id]);
}

#[test]
fn wrong_method_is_405_and_lists_the_allowed_ones() {
    let server = Server::start();
    let system = server.system();
    let one = format!("{BACKUPS}/{SOME_ID}");
    let table: [(&str, &[&str], &[&str]); 7] = [
        (BACKUPS, &["PUT", "PATCH", "DELETE", "OPTIONS", "BREW"], &["GET", "POST"]),
        (&one, &["POST", "PUT", "PATCH", "OPTIONS"], &["GET", "HEAD", "DELETE"]),
        ("/api/systems/backups/requests", &["POST", "PUT", "DELETE", "OPTIONS"], &["GET", "HEAD"]),
        ("/api/systems/backups/unchanged", &["GET", "PUT", "DELETE"], &["POST"]),
        ("/api/systems/heartbeat", &["GET", "PUT", "DELETE"], &["POST"]),
        ("/api/health", &["POST", "PUT", "DELETE"], &["GET"]),
        ("/api/health/live", &["POST", "DELETE"], &["GET"]),
    ];
    for (path, wrong, right) in table {
        for method in wrong {
            let answer = ask(&server, &head(method, path, &system, &["Content-Length: 0"]));
            assert_eq!(answer.status, 405, "{method} {path}: {answer}");
            answer.data();
            let allow: Vec<&str> = answer.must_have("allow").split(',').map(str::trim).collect();
            assert!(right.iter().all(|method| allow.contains(method)), "{method} {path}: {answer}");
        }
    }
}

#[test]
fn query_string_is_ignored() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let listed = server.get(&format!("{BACKUPS}?org=another&limit=0")).user(&system).send().status(200);
    assert_eq!(listed.data()["backups"][0]["id"], id.as_str());
    server.get(&format!("{BACKUPS}/{id}?x=%2e%2e")).user(&system).send().status(200);
}

#[test]
fn client_address_in_a_header_of_an_untrusted_peer_is_ignored() {
    let server = Server::start();
    let system = server.system();
    let answer = server.upload(&system).header("x-forwarded-for", "203.0.113.9").body("x").send();
    answer.id();
    assert_eq!(server.db.one("SELECT host(remote_addr) FROM backups"), "127.0.0.1");
}

#[test]
fn client_address_from_a_trusted_proxy_is_used() {
    let server = Server::builder().no_rate_limit().set("TRUSTED_PROXIES", "127.0.0.0/8, 192.0.2.1").start();
    let system = server.system();
    let table = [
        ("203.0.113.9", "203.0.113.9"),
        ("made up, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 192.0.2.1", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("not an address", "127.0.0.1"),
        ("198.51.100.1, unknown", "127.0.0.1"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("198.51.100.1, \"[2001:db8::2]:443\"", "2001:db8::2"),
        ("::ffff:203.0.113.9,", "203.0.113.9"),
        ("fe80::2%eth0", "fe80::2"),
    ];
    for (forwarded, address) in table {
        server.upload(&system).header("x-forwarded-for", forwarded).body("x").send().id();
        let known = server.db.one("SELECT host(remote_addr) FROM backups ORDER BY id DESC LIMIT 1");
        assert_eq!(known, address, "X-Forwarded-For: {forwarded}");
    }
}

#[test]
fn client_address_in_any_other_header_is_ignored() {
    let server = Server::builder().no_rate_limit().set("TRUSTED_PROXIES", "::ffff:127.0.0.0/104").start();
    let system = server.system();
    for (name, value) in
        [("forwarded", "for=198.51.100.1"), ("x-real-ip", "198.51.100.1"), ("client-ip", "198.51.100.1")]
    {
        let upload = server.upload(&system).header("x-forwarded-for", "203.0.113.9");
        upload.header(name, value).body("x").send().id();
        server.upload(&system).header(name, value).body("x").send().id();
        let known = server.db.all("SELECT host(remote_addr) FROM backups ORDER BY id DESC LIMIT 2");
        assert_eq!(known, ["127.0.0.1", "203.0.113.9"], "{name}");
    }
}

#[test]
fn error_answers_do_not_repeat_the_request() {
    let server = Server::start();
    let system = server.system();
    let unknown = server.fetch(&system, SOME_ID).send();
    unknown.is_not_found();
    assert!(!String::from_utf8_lossy(&unknown.body).contains("01934fab"));
    let path = server.get("/api/systems/marker-of-the-path").send().status(404);
    assert!(!String::from_utf8_lossy(&path.body).contains("marker"), "{path}");
}
