//! A superfluous slash at the end or at the beginning of a path is accepted, never by a redirect.

use crate::harness::{BACKUPS, Login, RawClient, Server, assert_eventually, head, sample};

const ALL: &str = "backup:view backup:create backup:delete backup:admin";

#[test]
fn trailing_slash_of_a_known_path_is_ignored() {
    let server = Server::unlimited();
    let system = server.system();
    for (before, after) in [("", "/"), ("/", ""), ("//", "/")] {
        let path = |path: &str| format!("{before}{path}{after}");
        let ask = |method: &str, path: &str, body: &str| {
            let length = format!("Content-Length: {}", body.len());
            let mut raw = RawClient::to(&server);
            raw.send(head(method, path, &system, &[&length]) + body);
            let answer = raw.answer();
            assert_eq!(
                answer.header("location").is_some(),
                method == "POST" && body == "x",
                "{path}: {answer}"
            );
            answer
        };
        let id = ask("POST", &path(BACKUPS), "x").id();
        let listed =
            ask("GET", &path(&format!("{BACKUPS}?a=/b/")).replace("?a=/b//", "/?a=/b/"), "").status(200);
        assert_eq!(listed.data()["backups"][0]["id"], id.as_str());
        assert_eq!(ask("GET", &path(&format!("{BACKUPS}/{id}")), "").status(200).body, b"x");
        ask("GET", &path(&format!("{BACKUPS}/requests")), "").status(200);
        ask("POST", &path(&format!("{BACKUPS}/unchanged")), "").status(200);
        ask("GET", &path("/api/health"), "").status(200);
        ask("GET", &path("/api/health/live"), "").status(200);
        assert!(ask("PUT", &path(BACKUPS), "").status(405).must_have("allow").contains("POST"));
        assert_eq!(
            ask("DELETE", &path(&format!("{BACKUPS}/{id}")), "").status(200).data()["id"],
            id.as_str()
        );
        ask("GET", &path("/api/systems/backup"), "").status(404);
    }
}

#[test]
fn trailing_slash_in_the_management_api_and_its_pages_is_ignored() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let token = login.token(&system.org, ALL);
    let one = format!("/api/systems/{}/backups", system.id);
    let get = |path: &str| server.manage("GET", path).bearer(&token).send();
    for path in [
        &one,
        &format!("{one}/{id}/download"),
        &format!("/api/systems/{}/requests", system.id),
        &format!("/backup/{}", system.id),
        &format!("/backup/{}/{id}", system.id),
        "/docs",
        "/docs/limits",
        "/docs/limits.md",
        "/docs/errors/not_found",
        "/openapi.json",
        "/llms.txt",
        "/metrics",
    ] {
        let (plain, slash, front) = (get(path), get(&format!("{path}/")), get(&format!("/{path}")));
        for answer in [&slash, &front] {
            assert_eq!(answer.status, 200, "{path}: {answer}");
            assert_eq!(answer.header("location"), None, "{path}");
            assert_eq!(answer.header("content-type"), plain.header("content-type"), "{path}");
        }
    }
    assert_eq!(get("/docs/limits/").body, get("/docs/limits").body);
    get("/backup/").is_gateway_error(404, "not_found", &server.management_url(""));
    get("/nothing/").status(404);
    server.manage("DELETE", &format!("{one}/{id}/")).bearer(&token).send().status(200);
}

#[test]
fn trailing_slash_of_a_download_link_is_ignored() {
    needs_a_folder!(); // a bucket's addresses are the engine's
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, b"x");
    let asked = format!("/api/systems/{}/backups/{id}/download", system.id);
    let token = login.token(&system.org, ALL);
    let answer = server.manage("GET", &asked).bearer(&token).send();
    let signed = answer.data()["download_url"].as_str().expect("a URL").to_owned();
    let (path, query) = signed.split_once('?').expect("a query");
    assert_eq!(server.at(&format!("{path}/?{query}")).send().status(200).body, b"x");
}

#[test]
fn empty_path_segment_is_404() {
    let server = Server::start();
    let system = server.system();
    let id = server.store(&system, b"x");
    for path in [
        format!("{BACKUPS}//"),
        format!("{BACKUPS}//{id}"),
        format!("{BACKUPS}/{id}//"),
        "/api//systems/backups".to_owned(),
        format!("/api/systems//backups/{id}"),
        format!("{BACKUPS}%2f"),
    ] {
        for method in ["GET", "DELETE"] {
            let mut raw = RawClient::to(&server);
            raw.send(head(method, &path, &system, &[]));
            let answer = raw.answer();
            assert_eq!(answer.status, 404, "{method} {path}: {answer}");
            answer.data();
        }
    }
    assert_eq!(server.ids(&system), [id]);
}

#[test]
fn metrics_count_a_path_with_a_trailing_slash_as_the_one_without() {
    let server = Server::start();
    for path in ["/api/health/live/", "//api/health/live", "/api/health/live"] {
        let mut raw = RawClient::to(&server);
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        raw.answer().status(200);
    }
    let name =
        r#"strongroom_http_requests_total{api="collect",method="GET",route="/api/health/live",status="200"}"#;
    assert_eventually("three requests are counted", crate::harness::TIMEOUT, || {
        sample(&server.metrics(), name) > 2.5
    });
}
