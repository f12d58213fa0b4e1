//! `/backup/{siteId}`: the gateway API.

use serde_json::json;

use crate::harness::{Certificate, Login, Server, System, bytes, sha256_hex};

/// Starts a server with a login, and a system with one backup of these bytes.
fn fixture(body: &[u8]) -> (Login, Server, System, String) {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let system = server.system();
    let id = server.upload(&system).header("x-filename", "daily.txt").body(body).send().id();
    (login, server, system, id)
}

#[test]
fn gateway_list_is_an_array_newest_first() {
    let (login, server, system, first) = fixture(&bytes(1536));
    let second = server.store(&system, b"x");
    let when = "timestamptz '2026-04-12 02:05:09.5Z'";
    server.db.execute(&format!("UPDATE backups SET uploaded_at = {when}"));
    let token = login.token(&system.org, "backup:view");
    let path = format!("/backup/{}", system.id);
    let answer = server.manage("GET", &path).bearer(&token).send().status(200);
    assert!(answer.must_have("content-type").starts_with("application/json"));
    let file = |id: &str, size: &str| {
        json!({ "filename": id, "size": size, "date": "2026-04-12", "time": "02:05:09",
                "created_at": "2026-04-12T02:05:09.500Z" })
    };
    assert_eq!(answer.json(), json!([file(&second, "1 B"), file(&first, "1.5 KiB")]));
    let empty = server.add_system(&system.org, "without a backup");
    let answer = server.manage("GET", &format!("/backup/{}", empty.id)).bearer(&token).send().status(200);
    assert_eq!(answer.json(), json!([]));
    assert!(server.manage("HEAD", &path).bearer(&token).send().status(200).body.is_empty());
}

#[test]
fn gateway_returns_metadata_and_content_only_on_request() {
    let body = bytes(3000);
    let (login, server, system, id) = fixture(&body);
    let token = login.token(&system.org, "backup:view");
    let path = format!("/backup/{}/{id}", system.id);
    let get = || server.manage("GET", &path).bearer(&token);
    let api = get().send().status(200).json();
    for (name, value) in [
        ("filename", json!(id)),
        ("size", json!("2.9 KiB")),
        ("bytes", json!(3000)),
        ("sha256", json!(sha256_hex(&body))),
        ("mimetype", json!("application/octet-stream")),
        ("original_filename", json!("daily.txt")),
    ] {
        assert_eq!(api[name], value, "{api}");
    }
    for member in ["date", "time", "created_at"] {
        assert!(api[member].is_string(), "{api}");
    }
    assert_eq!(get().header("x-download", "false").send().status(200).json(), api);
    assert_eq!(server.events("downloaded"), 0, "reading the metadata is no download");

    let whole = get().header("x-download", "true").send().status(200);
    assert!(whole.body == body);
    assert_eq!(whole.must_have("content-type"), "application/octet-stream");
    assert_eq!(whole.must_have("etag"), format!("\"{}\"", sha256_hex(&body)));
    let disposition = whole.must_have("content-disposition").to_owned();
    assert!(disposition.starts_with("attachment; filename=\"fw-"), "{disposition}");
    assert!(disposition.ends_with("-daily.txt\""), "{disposition}");
    let part = get().header("x-download", "True").header("range", "bytes=10-19").send().status(206);
    assert!(part.body == body[10..20]);
    get().header("x-download", "true").header("range", "bytes=9000-").send().is_gateway_error(
        416,
        "range_not_satisfiable",
        &server.management_url(""),
    );
    let head = server.manage("HEAD", &path).bearer(&token).header("x-download", "true").send().status(200);
    assert_eq!((head.must_have("content-length"), head.body.len()), ("3000", 0));
    let event = "SELECT concat_ws(' ', actor, host(remote_addr), detail) FROM backup_events WHERE kind = 'downloaded'";
    assert_eq!(
        server.db.all(&format!("{event} ORDER BY id")),
        [
            r#"portal@example.org 127.0.0.1 {"with": "token"}"#,
            r#"portal@example.org 127.0.0.1 {"last": 19, "with": "token", "first": 10}"#
        ],
        "a request from the second byte on is a download, too"
    );
}

#[test]
fn gateway_shows_text_and_answers_415_to_anything_else() {
    let text = "hostname fw-01\n# für später: <script>\n";
    let (login, server, system, id) = fixture(text.as_bytes());
    let token = login.token(&system.org, "backup:view");
    let view = |id: &str| {
        let path = format!("/backup/{}/{id}", system.id);
        server.manage("GET", &path).bearer(&token).header("x-view", "true").send()
    };
    let shown = view(&id).status(200);
    assert_eq!(shown.body, text.as_bytes());
    assert_eq!(shown.must_have("content-type"), "text/plain; charset=utf-8");
    assert_eq!(shown.must_have("x-content-type-options"), "nosniff");
    assert_eq!(server.events("downloaded"), 1);
    let base = server.management_url("");
    let largest = vec![b'a'; 1 << 20];
    assert_eq!(view(&server.store(&system, &largest)).status(200).body.len(), 1 << 20);
    for body in [vec![b'a'; (1 << 20) + 1], vec![0xff, 0xfe, b'a'], bytes(5000)] {
        let id = server.store(&system, &body);
        view(&id).is_gateway_error(415, "unsupported_media", &base);
        let path = format!("/backup/{}/{id}", system.id);
        server.manage("HEAD", &path).bearer(&token).header("x-view", "true").send().status(415);
    }
    let path = format!("/backup/{}/{id}", system.id);
    let head = server.manage("HEAD", &path).bearer(&token).header("x-view", "true").send().status(200);
    assert_eq!((head.must_have("content-type"), head.body.len()), ("text/plain; charset=utf-8", 0));
    assert_eq!(server.events("downloaded"), 2, "a refused view counts as no download");
    let too_large = server.store(&system, &vec![b'a'; (1 << 20) + 1]);
    server.store.remove(&server.object_key(&too_large));
    server.skip_comparison();
    view(&too_large).is_gateway_error(415, "unsupported_media", &base);
}

#[test]
fn gateway_answers_500_for_a_damaged_backup() {
    let (login, server, system, id) = fixture(b"x");
    server.skip_comparison();
    server.store.remove(&server.object_key(&id));
    let token = login.token(&system.org, "backup:view");
    let path = format!("/backup/{}/{id}", system.id);
    for header in ["x-download", "x-view"] {
        let answer = server.manage("GET", &path).bearer(&token).header(header, "true").send();
        answer.is_gateway_error(500, "backup_damaged", &server.management_url(""));
    }
}

#[test]
fn error_pages_are_https_where_the_management_api_speaks_tls() {
    let server =
        Server::builder().tls(&Certificate::new()).set("MANAGEMENT_LISTEN_ADDRESS", "0.0.0.0:0").start();
    let base = server.management_url("");
    assert!(base.starts_with("https://0.0.0.0:"), "{base}");
    server.manage("GET", "/backup/x").send().is_gateway_error(401, "unauthorized", &base);
}

#[test]
fn error_pages_are_at_the_public_url_or_a_valid_host() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let ask = |host: &str| server.manage("GET", "/backup/x").header("host", host).send();
    ask("vault.example.org:8443").is_gateway_error(401, "unauthorized", "http://vault.example.org:8443");
    for host in ["a\"b<c>", "evil.example/path?", "a@b", "x:y"] {
        ask(host).is_gateway_error(401, "unauthorized", &server.management_url(""));
    }
    let forwarded = server.manage("GET", "/backup/x").header("x-forwarded-host", "evil.example");
    forwarded.send().is_gateway_error(401, "unauthorized", &server.management_url(""));
    let public = Server::builder().set("MANAGEMENT_PUBLIC_URL", "https://vault.example.org/").start();
    let answer = public.manage("GET", "/backup/x").header("host", "evil.example").send();
    answer.is_gateway_error(401, "unauthorized", "https://vault.example.org");
}
