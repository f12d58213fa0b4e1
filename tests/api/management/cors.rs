//! The pages of a portal call the management API in a browser (CORS).

use std::collections::BTreeSet;

use crate::harness::{Answer, BACKUPS, LinkFault, Login, PostgresLink, Request, Server, on_s3};

const PORTAL: &str = "https://portal.example.net";
const SETTING: &str = "MANAGEMENT_CORS_ORIGINS";

fn fixture() -> (Login, Server) {
    let login = Login::new();
    let server = Server::builder().login(&login).set(SETTING, format!("{PORTAL}, http://localhost:3000"));
    (login, server.start())
}

fn names(list: &str) -> BTreeSet<String> {
    list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// The page of this origin may read the answer.
#[track_caller]
fn is_readable(answer: &Answer, origin: &str) {
    assert_eq!(answer.must_have("access-control-allow-origin"), origin, "{answer}");
    assert!(names(answer.must_have("vary")).contains("origin"), "{answer}");
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
}

#[track_caller]
fn says_nothing(answer: &Answer) {
    let said =
        answer.headers.iter().find(|(name, _)| name.to_ascii_lowercase().starts_with("access-control"));
    assert_eq!(said, None, "{answer}");
}

fn preflight(request: Request<'_>, origin: &str, method: &str) -> Answer {
    let request = request.header("origin", origin).header("access-control-request-method", method);
    request.header("access-control-request-headers", "authorization").send()
}

#[test]
fn preflight_of_an_allowed_origin_needs_no_token() {
    let (_login, server) = fixture();
    let paths = [
        "/api/systems/x/backups",
        "/api/systems/x/backups/y",
        "/backup/x",
        "/backup/x/y",
        "/api/downloads/x",
    ];
    for path in paths {
        for origin in [PORTAL, "http://localhost:3000"] {
            let answer = preflight(server.manage("OPTIONS", path), origin, "DELETE").status(204);
            is_readable(&answer, origin);
            assert!(answer.body.is_empty(), "{answer}");
            let methods = names(answer.must_have("access-control-allow-methods"));
            assert!(
                ["get", "head", "post", "delete"].iter().all(|method| methods.contains(*method)),
                "{answer}"
            );
            let headers = names(answer.must_have("access-control-allow-headers"));
            let needed = ["authorization", "range", "if-none-match", "if-range", "x-download", "x-view"];
            assert!(needed.iter().all(|name| headers.contains(*name)), "{answer}");
            assert!(answer.must_have("access-control-max-age").parse::<u32>().is_ok(), "{answer}");
        }
    }
}

#[test]
fn page_of_an_allowed_origin_reads_answers_and_errors() {
    let (login, server) = fixture();
    let system = server.system();
    let id = server.store(&system, b"x");
    let token = login.token(&system.org, "backup:view");
    let ask = |method: &str, path: &str, token: &str, status| {
        let request = server.manage(method, path).header("origin", PORTAL).bearer(token);
        let answer = request.header("x-download", "true").send().status(status);
        is_readable(&answer, PORTAL);
        let exposed = names(answer.must_have("access-control-expose-headers"));
        let needed =
            ["etag", "content-disposition", "content-range", "retry-after", "location", "www-authenticate"];
        assert!(needed.iter().all(|name| exposed.contains(*name)), "{answer}");
    };
    let list = format!("/api/systems/{}/backups", system.id);
    ask("GET", &list, &token, 200);
    ask("GET", &format!("/backup/{}/{id}", system.id), &token, 200);
    ask("GET", "/openapi.json", &token, 200);
    ask("GET", &list, "nonsense", 401);
    ask("DELETE", &format!("{list}/{id}"), &token, 403);
    ask("GET", "/api/systems/nothing/backups", &token, 404);
    ask("GET", "/backup/nothing", &token, 404);
    ask("GET", "/api/nothing", &token, 404);
    ask("PATCH", &list, &token, 405);
    // Without what makes it a preflight, OPTIONS is a method like any other.
    ask("OPTIONS", &list, &token, 405);
}

#[test]
fn page_reads_that_the_database_is_down() {
    let database = std::sync::Arc::new(crate::harness::Database::new());
    let link = PostgresLink::to(&database);
    let login = Login::new();
    let builder = Server::builder().database(&database).set("DATABASE_URL", link.url()).login(&login);
    let server = builder.set(SETTING, PORTAL).start();
    let system = server.system();
    link.inject(LinkFault::Refused);
    for (path, status) in
        [(format!("/api/systems/{}/backups", system.id), 503), (format!("/backup/{}", system.id), 500)]
    {
        let request = server.manage("GET", &path).header("origin", PORTAL);
        let answer = request.bearer(login.token(&system.org, "backup:view")).send().status(status);
        is_readable(&answer, PORTAL);
        answer.must_have("retry-after");
    }
    link.repair();
}

#[test]
fn page_downloads_with_a_link_from_either_listener() {
    let (login, server) = fixture();
    if on_s3() {
        return;
    }
    let system = server.system();
    let id = server.store(&system, b"content");
    let path = format!("/api/systems/{}/backups/{id}/download", system.id);
    let link = server.manage("GET", &path).bearer(login.token(&system.org, "backup:view")).send().data();
    let (_, query) = link["download_url"].as_str().and_then(|url| url.split_once('?')).expect("a query");
    let path = format!("/api/downloads/{id}?{query}");
    for request in [server.get(&path), server.manage("GET", &path)] {
        let answer = request.header("origin", PORTAL).header("range", "bytes=0-0").send().status(206);
        is_readable(&answer, PORTAL);
    }
    is_readable(&server.get("/api/downloads/x").header("origin", PORTAL).send().status(403), PORTAL);
    is_readable(&preflight(server.request("OPTIONS", &path), PORTAL, "GET").status(204), PORTAL);
}

#[test]
fn foreign_origin_gets_no_permission() {
    let (login, server) = fixture();
    let system = server.system();
    let list = format!("/api/systems/{}/backups", system.id);
    let token = login.token(&system.org, "backup:view");
    for origin in [
        "https://evil.example",
        "null",
        "*",
        "http://portal.example.net",
        "https://portal.example.net:8443",
        "https://portal.example.net.evil.example",
        "https://sub.portal.example.net",
        "HTTPS://PORTAL.EXAMPLE.NET",
        "https://portal.example.net, http://localhost:3000",
    ] {
        let answer = server.manage("GET", &list).header("origin", origin).bearer(&token).send().status(200);
        says_nothing(&answer);
        assert!(names(answer.must_have("vary")).contains("origin"), "{answer}");
        says_nothing(&preflight(server.manage("OPTIONS", &list), origin, "GET").status(405));
    }
    let none = server.manage("GET", &list).bearer(&token).send().status(200);
    says_nothing(&none);
    assert!(
        names(none.must_have("vary")).contains("origin"),
        "a cache would give this answer to a page: {none}"
    );
}

#[test]
fn appliances_paths_and_paths_without_a_token_allow_no_origin() {
    let (_login, server) = fixture();
    let system = server.system();
    for path in [BACKUPS, "/api/health", "/nothing"] {
        says_nothing(&server.get(path).user(&system).header("origin", PORTAL).send());
        says_nothing(&preflight(server.request("OPTIONS", path), PORTAL, "GET"));
    }
    for path in ["/metrics", "/mcp", "/docs"] {
        says_nothing(&server.manage("GET", path).header("origin", PORTAL).send());
        says_nothing(&preflight(server.manage("OPTIONS", path), PORTAL, "POST").status(405));
    }
}

#[test]
fn no_origin_is_allowed_by_default() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let list = format!("/api/systems/{}/backups", system.id);
    let request = server.manage("GET", &list).header("origin", PORTAL);
    let answer = request.bearer(login.token(&system.org, "backup:view")).send().status(200);
    says_nothing(&answer);
    assert_eq!(answer.header("vary"), None, "{answer}");
    says_nothing(&preflight(server.manage("OPTIONS", &list), PORTAL, "GET").status(405));
}
