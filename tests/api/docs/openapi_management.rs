//! The OpenAPI document describes a portal's answers, and every error has its page.

use serde_json::json;

use crate::harness::{Answer, ApiDocument, BACKUPS, Login, Server, TIMEOUT, bytes, eventually};

const LIST: &str = "/api/systems/{id}/backups";
const ONE: &str = "/api/systems/{id}/backups/{backup_id}";
const LINK: &str = "/api/systems/{id}/backups/{backup_id}/download";
const SITE: &str = "/backup/{siteId}";
const FILE: &str = "/backup/{siteId}/{filename}";
const FOLLOW: &str = "/api/downloads/{id}";
const NOBODY: &str = "01934fab-bc33-7890-a1b2-c3d4e5f6a7b8";

#[test]
fn answers_of_the_management_api_match_the_openapi_document() {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let api = ApiDocument::of(&server);
    let system = server.system();
    let id = server.upload(&system).header("x-filename", "a.txt").body("text").send().id();
    let binary = server.store(&system, &bytes(100));
    let token = login.token(&system.org, "backup:view backup:delete");
    let weak = login.token(&system.org, "other");
    let ask =
        |method: &str, template: &str, ids: (&str, &str), headers: &[(&str, &str)], token: &str, status| {
            let path = template.replace("{id}", ids.0).replace("{siteId}", ids.0);
            let path = path.replace("{backup_id}", ids.1).replace("{filename}", ids.1);
            let request =
                headers.iter().fold(server.manage(method, &path), |request, (n, v)| request.header(n, v));
            let answer = request.bearer(token).send().status(status);
            api.describes(method, template, &answer);
            answer
        };
    for template in [LIST, LINK, SITE, FILE] {
        ask("GET", template, (&system.id, &id), &[], &token, 200);
        ask("HEAD", template, (&system.id, &id), &[], &token, 200);
        ask("GET", template, (&system.id, &id), &[], "nonsense", 401);
        ask("GET", template, (&system.id, &id), &[], &weak, 403);
        ask("GET", template, (NOBODY, &id), &[], &token, 404);
    }
    ask("GET", FILE, (&system.id, &id), &[("x-view", "true")], &token, 200);
    ask("GET", FILE, (&system.id, &binary), &[("x-view", "true")], &token, 415);
    let etag = ask("GET", FILE, (&system.id, &id), &[("x-download", "true")], &token, 200);
    let etag = etag.must_have("etag").to_owned();
    for (name, value, status) in
        [("range", "bytes=1-1", 206), ("range", "bytes=9-", 416), ("if-none-match", &etag, 304)]
    {
        ask("GET", FILE, (&system.id, &id), &[("x-download", "true"), (name, value)], &token, status);
    }

    let link = ask("GET", LINK, (&system.id, &id), &[], &token, 200).data();
    if server.store.settings().iter().all(|(name, _)| name != "BACKUP_S3_BUCKET") {
        let url = link["download_url"].as_str().expect("an address");
        let follow = |url: &str, range: &str, status| {
            api.describes("GET", FOLLOW, &server.at(url).header("range", range).send().status(status));
        };
        follow(url, "none", 200);
        follow(url, "bytes=1-1", 206);
        follow(url, "bytes=9-", 416);
        follow(&format!("{url}0"), "none", 403);
        server.delete(&system, &id).status(200);
        follow(url, "none", 404);
    }

    ask("DELETE", ONE, (&system.id, &binary), &[], &weak, 403);
    ask("DELETE", ONE, (&system.id, &binary), &[], "nonsense", 401);
    ask("DELETE", ONE, (&system.id, &binary), &[], &token, 200);
    ask("DELETE", ONE, (&system.id, &binary), &[], &token, 404);
}

#[test]
fn answers_about_a_damaged_backup_match_the_openapi_document() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let api = ApiDocument::of(&server);
    let system = server.system();
    let id = server.store(&system, b"x");
    server.store.remove(&server.object_key(&id));
    let token = login.token(&system.org, "backup:view");
    let path = format!("/backup/{}/{id}", system.id);
    let answer = server.manage("GET", &path).header("x-download", "true").bearer(&token).send().status(500);
    api.describes("GET", FILE, &answer);
    server.delete(&system, &id).status(200);
}

#[test]
fn answers_about_backup_requests_match_the_openapi_document() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let system = server.system();
    server.store(&system, b"x");
    let (requests, unchanged) = (format!("{BACKUPS}/requests"), format!("{BACKUPS}/unchanged"));
    server.cli(["request", &system.id]).exits(0);
    let get = |query: &str, status| {
        let answer = server.get(&format!("{requests}{query}")).user(&system).send().status(status);
        api.describes("GET", &requests, &answer);
        answer
    };
    let found = get("?wait=10", 200).data();
    assert_eq!(found["requests"].as_array().map(Vec::len), Some(1), "{found}");
    get("?wait=61", 400);
    api.describes("GET", &requests, &server.get(&requests).send().status(401));
    let say = || server.request("POST", &unchanged).user(&system).send().status(200);
    let mut told = say();
    // The header is a hint, which is omitted when the database is slow.
    eventually(TIMEOUT, || {
        if told.header("x-backup-requested").is_none() {
            told = say();
        }
        told.header("x-backup-requested").is_some()
    });
    api.describes("POST", &unchanged, &told);
    assert_eq!(told.must_have("x-backup-requested"), found["requests"][0]["id"]);
    let said = &api.document()["paths"][&unchanged]["post"]["responses"]["200"]["headers"];
    assert!(said["X-Backup-Requested"].is_object(), "{said}");
    api.describes("POST", &unchanged, &server.request("POST", &unchanged).send().status(401));
}

#[test]
fn answers_to_signs_of_activity_match_the_openapi_document() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let system = server.system();
    let unchanged = format!("{BACKUPS}/unchanged");
    for path in [unchanged.as_str(), "/api/systems/heartbeat"] {
        let post = || server.request("POST", path);
        api.describes("POST", path, &post().user(&system).send().status(200));
        api.describes("POST", path, &post().send().status(401));
    }
}

#[test]
fn every_error_names_a_page_that_exists() {
    let server = Server::start();
    let error = server.manage("GET", &format!("/backup/{NOBODY}")).send().status(401).json();
    let url = error["doc_url"].as_str().expect("an address");
    let page = server.at(url).send().status(200);
    assert!(page.must_have("content-type").starts_with("text/html"));
    let pages = server.manage("GET", "/docs/errors").send().status(200);
    for error in strongroom::http::errors::gateway_codes::ERROR_CODES {
        let page = server.manage("GET", &format!("/docs/errors/{}", error.code)).send().status(200);
        let html = String::from_utf8_lossy(&page.body).into_owned();
        assert!(html.contains(error.code) && html.contains(&error.status.to_string()), "{html}");
        let link = format!("\"/docs/errors/{}\"", error.code);
        assert!(String::from_utf8_lossy(&pages.body).contains(&link), "{link}");
    }
    // The table has all codes that the examples show.
    let codes: Vec<&str> =
        strongroom::http::errors::gateway_codes::ERROR_CODES.iter().map(|error| error.code).collect();
    for (method, path, operation) in ApiDocument::of(&server).operations() {
        if !path.starts_with("/backup/") {
            continue;
        }
        for answer in operation["responses"].as_object().expect("answers").values() {
            for example in answer["content"]["application/json"]["examples"].as_object().into_iter().flatten()
            {
                let code = &example.1["value"]["code"];
                assert!(codes.iter().any(|known| code == &json!(known)), "{method} {path}: {code}");
            }
        }
    }
}

/// The document's constant headers equal those of a real answer.
#[track_caller]
fn shows_what_was_sent(api: &ApiDocument, method: &str, path: &str, answer: &Answer) {
    const FIXED: [&str; 4] = ["Accept-Ranges", "Cache-Control", "WWW-Authenticate", "X-Content-Type-Options"];
    api.describes(method, path, answer);
    let said = &api.document()["paths"][path][method.to_lowercase()]["responses"];
    let said = &said[answer.status.to_string()]["headers"];
    for name in FIXED {
        let shown = said[name]["example"].as_str();
        assert_eq!(shown, answer.header(name), "{method} {path} {}: {name}", answer.status);
    }
}

#[test]
fn openapi_headers_match_the_sent_headers() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let api = ApiDocument::of(&server);
    let system = server.system();
    let id = server.store(&system, b"x");
    let weak = login.token(&system.org, "other");
    let view = login.token(&system.org, "backup:view");
    let at = |template: &str| {
        template.replace("{id}", &system.id).replace("{siteId}", &system.id).replace("{backup_id}", &id)
    };
    for (method, template) in
        [("GET", LIST), ("GET", LINK), ("DELETE", ONE), ("GET", SITE), ("POST", SITE), ("GET", "/metrics")]
    {
        let ask = |token: &str| {
            server.manage(method, &at(template)).header("via", "1.1 proxy").bearer(token).send()
        };
        let missing = server.manage(method, &at(template)).header("via", "1.1 proxy").send().status(401);
        shows_what_was_sent(&api, method, template, &missing);
        shows_what_was_sent(&api, method, template, &ask(&weak).status(403));
    }
    let link = server.manage("GET", &at(LINK)).bearer(&view).send().status(200);
    shows_what_was_sent(&api, "GET", LINK, &link);
    if server.store.settings().iter().all(|(name, _)| name != "BACKUP_S3_BUCKET") {
        let forged = format!("{}0", link.data()["download_url"].as_str().expect("an address"));
        shows_what_was_sent(&api, "GET", FOLLOW, &server.at(&forged).send().status(403));
    }
    let metrics = server.manage("GET", "/metrics").send().status(200);
    shows_what_was_sent(&api, "GET", "/metrics", &metrics);
    let one = "/api/systems/backups/{id}";
    shows_what_was_sent(&api, "GET", one, &server.fetch(&system, &id).send().status(200));
    shows_what_was_sent(&api, "GET", BACKUPS, &server.get(BACKUPS).send().status(401));
}
