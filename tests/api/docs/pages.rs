//! The documentation for people works without any other host, and shows nothing of tenants.

use std::collections::BTreeSet;

use serde_json::json;

use super::crawl::{attributes, pages, text};
use crate::common::repository;
use crate::harness::{Answer, RawClient, Server, bare_head};

/// Whether the page repeats the `Host` of the request. Shared caches must not store such a page.
fn repeats_host(path: &str) -> bool {
    ["/openapi.json", "/llms.txt", "/docs", "/docs/reference"].contains(&path)
}

#[test]
fn documentation_pages_need_no_other_host_and_have_no_dead_link() {
    let server = Server::start();
    let pages = pages(&server);
    let paths: Vec<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
    for expected in [
        "appliance",
        "portals",
        "limits",
        "install",
        "operations",
        "support",
        "settings",
        "reference",
        "errors",
    ] {
        assert!(paths.contains(&format!("/docs/{expected}").as_str()), "{expected} is not linked: {paths:?}");
    }
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; font-src 'self'; \
                  img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    for (path, answer) in &pages {
        assert_eq!(answer.must_have("content-security-policy"), policy, "{path}");
        assert_eq!(answer.must_have("x-content-type-options"), "nosniff", "{path}");
        let expected = match path.as_str() {
            path if path.contains("?v=") => "public, max-age=31536000, immutable",
            path if repeats_host(path) => "private, max-age=300",
            _ => "public, max-age=300",
        };
        assert_eq!(answer.must_have("cache-control"), expected, "{path}");
        let kind = answer.must_have("content-type");
        let content = String::from_utf8_lossy(&answer.body);
        if kind.starts_with("text/css") {
            let loaded: Vec<&str> = content.split("url(").skip(1).collect();
            assert!(loaded.iter().all(|url| url.starts_with("/docs/")), "{path}: {loaded:?}");
            assert!(!content.contains("@import"), "{path}");
        }
        if kind.starts_with("text/javascript") {
            let inside = ["http:", "https:", "innerHTML", "eval("];
            assert_eq!(inside.into_iter().find(|inside| content.contains(inside)), None, "{path}");
        }
        if kind.starts_with("text/html") {
            for inside in ["<iframe", "<img", "<style", " style=", " onclick", " onload", "javascript:"] {
                assert!(!content.contains(inside), "{path} has {inside}");
            }
            let scripts: Vec<&str> = content.split("<script").skip(1).collect();
            assert_eq!(scripts.len(), 1, "{path}");
            assert!(scripts[0].starts_with(" src=\"/docs/docs.js?v="), "{path}: {}", &scripts[0][..60]);
        }
    }
}

#[test]
fn page_has_one_title_one_main_part_and_marks_itself_in_the_navigation() {
    let server = Server::start();
    let is_html = |answer: &Answer| answer.must_have("content-type").starts_with("text/html");
    let mut titles = BTreeSet::new();
    for (path, answer) in pages(&server).into_iter().filter(|(_, answer)| is_html(answer)) {
        let html = text(&answer);
        for once in ["<h1", "<main id=\"main\"", "<header", "role=\"search\"", "<title>"] {
            assert_eq!(html.matches(once).count(), 1, "{path}: {once}");
        }
        assert!(html.contains("<html lang=\"en\">") && html.contains("href=\"#main\""), "{path}");
        let title = html.split_once("<title>").and_then(|(_, rest)| rest.split_once('<')).expect("a title").0;
        if !path.starts_with("/docs/search") {
            assert!(titles.insert(title.to_owned()), "{path} has the title of another page: {title}");
            let current = html.matches("aria-current=\"page\"").count();
            assert_eq!(current, 1, "{path}");
        }
        let ids = attributes(&html, "id");
        let different: BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), different.len(), "{path} has an id twice");
    }
}

#[test]
fn root_of_the_management_listener_leads_to_the_documentation() {
    let server = Server::start();
    let answer = server.manage("GET", "/").send().status(308);
    assert_eq!(answer.must_have("location"), "/docs");
    server.manage("HEAD", "/").send().status(308);
    assert_eq!(server.manage("POST", "/").send().status(405).must_have("allow"), "GET, HEAD");
    let with_slash = server.manage("GET", "/docs/").send().status(200);
    assert_eq!(with_slash.body, server.manage("GET", "/docs").send().body);
    // Only people come to the management listener by its root.
    assert_eq!(server.get("/").send().status(404).json()["code"], 404);
}

#[test]
fn settings_page_has_every_setting() {
    let server = Server::start();
    let page = text(&server.manage("GET", "/docs/settings").send().status(200));
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let rows = readme.split_once("| variable | default |").expect("the table of settings").1;
    let names: Vec<&str> = rows
        .lines()
        .skip(2)
        .map_while(|row| row.strip_prefix("| `"))
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert!(names.contains(&"BACKUP_LEASE") && names.len() > 30, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("<h3 id=\"{}\"><code>{name}</code>", name.to_lowercase())), "{name}");
    }
    assert!(page.contains("<p>Required.</p>") && page.contains("<p>Required with a key.</p>"), "{page}");
    assert!(!page.contains("Default: required"), "{page}");
}

#[test]
fn guide_lists_its_sections_for_wide_and_for_narrow_screens() {
    let server = Server::start();
    for guide in ["appliance", "portals", "limits", "install", "operations", "support", "settings"] {
        let page = text(&server.manage("GET", &format!("/docs/{guide}")).send().status(200));
        let list_after = |start: &str| {
            let rest = page.split_once(start).unwrap_or_else(|| panic!("{guide} has no {start}")).1;
            rest.split_once("</ul>").expect("the end of the list").0.to_owned()
        };
        let folded = list_after("</h1><details class=\"contents\"><summary>On this page</summary>");
        assert!(folded.matches("<a href=\"#").count() > 2, "{guide}: {folded}");
        assert_eq!(folded, list_after("aria-label=\"On this page\"><h2>On this page</h2>"), "{guide}");
    }
}

#[test]
fn documentation_answers_get_and_head_with_the_right_media_type() {
    let server = Server::start();
    let check = |path: &str, status, media_type: &str| {
        let answer = server.manage("GET", path).send().status(status);
        assert_eq!(answer.must_have("content-type"), media_type, "{path}");
        let head = server.manage("HEAD", path).send().status(status);
        assert!(head.body.is_empty(), "{path}");
        for name in [
            "cache-control",
            "content-security-policy",
            "content-type",
            "referrer-policy",
            "x-content-type-options",
        ] {
            assert_eq!(head.must_have(name), answer.must_have(name), "{path}");
        }
        assert_eq!(answer.must_have("referrer-policy"), "no-referrer", "{path}");
        let refused = server.manage("PATCH", path).send().status(405);
        assert_eq!(refused.must_have("allow"), "GET, HEAD", "{path}");
    };
    let html = "text/html; charset=utf-8";
    check("/openapi.json", 200, "application/json");
    check("/llms.txt", 200, "text/plain; charset=utf-8");
    check("/docs/style.css", 200, "text/css; charset=utf-8");
    check("/docs/docs.js", 200, "text/javascript; charset=utf-8");
    check("/docs/inter.woff2", 200, "font/woff2");
    check("/docs/icon.svg", 200, "image/svg+xml");
    check("/docs/search.json", 200, "application/json");
    check("/docs/appliance.md", 200, "text/markdown; charset=utf-8");
    for path in [
        "/docs",
        "/docs/reference",
        "/docs/errors",
        "/docs/errors/not_found",
        "/docs/appliance",
        "/docs/settings",
        "/docs/search",
    ] {
        check(path, 200, html);
    }
    for path in ["/docs/nothing", "/docs/nothing.md", "/docs/errors/nothing"] {
        check(path, 404, html);
    }
}

#[test]
fn cacheable_documents_do_not_depend_on_the_host() {
    let server = Server::start();
    let mut shared = 0;
    for (path, _) in pages(&server) {
        let asked = |host: &str| {
            let mut raw = RawClient::to_management(&server);
            raw.send(bare_head("GET", &path, &[]).replace("vault.example", host));
            raw.answer().status(200)
        };
        let (one, other) = (asked("one.example"), asked("other.example"));
        if one.must_have("cache-control").starts_with("public") {
            assert!(one.body == other.body, "{path} repeats the host");
            shared += 1;
        }
    }
    assert!(shared >= 5, "{shared} pages may be shared");
}

#[test]
fn missing_page_does_not_repeat_the_request() {
    let server = Server::start();
    for path in ["/docs/marker", "/docs/errors/marker", "/docs/marker.md", "/docs/%3Cmarker%3E"] {
        let answer = server.manage("GET", path).send().status(404);
        assert!(!text(&answer).contains("marker"), "{path}: {answer}");
    }
}

#[test]
fn llms_txt_names_existing_markdown_documents() {
    let server = Server::start();
    let index = text(&server.manage("GET", "/llms.txt").send().status(200));
    assert!(index.starts_with("# Strongroom\n\n> "), "{index}");
    assert!(index.contains("\n## "), "{index}");
    let links: Vec<&str> =
        index.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)).collect();
    assert!(links.len() >= 6, "{links:?}");
    for link in links {
        let path = link.strip_prefix(&server.management_url("")).expect("a link to here");
        if path == "/mcp" {
            continue;
        }
        let answer = server.manage("GET", path).send().status(200);
        if link.contains(".md") {
            assert!(answer.must_have("content-type").starts_with("text/markdown"), "{answer}");
            assert!(text(&answer).starts_with("# "), "{path}");
        }
    }
    assert!(index.contains(&server.url("")), "{index}");
}

#[test]
fn documents_name_no_tenant() {
    let server = Server::start();
    server.add_org("secret-org", None);
    let system = server.add_system("secret-org", "secret-fw");
    let id = server.upload(&system).header("x-filename", "secret-name.gpg").body("x").send().id();
    let mut texts: Vec<(String, String)> = pages(&server)
        .into_iter()
        .map(|(path, answer)| (path, String::from_utf8_lossy(&answer.body).into_owned()))
        .collect();
    let call = |name: &str, arguments| {
        let question = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name, "arguments": arguments },
        });
        let answer = server
            .manage("POST", "/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(question.to_string())
            .send();
        (format!("{name} {arguments}"), text(&answer.status(200)))
    };
    texts.push(call("list_operations", json!({})));
    texts.push(call("search_operations", json!({ "query": "secret-org" })));
    texts.push(call("search_operations", json!({ "query": "backup" })));
    texts.push(call("get_operation", json!({ "operation_id": id })));
    texts.push(call("get_operation", json!({ "operation_id": "listBackups" })));
    texts.push(call("read_guide", json!({ "name": system.key })));
    assert!(texts.len() > 15, "{}", texts.len());
    for (place, text) in texts {
        for secret in ["secret-name", &system.org, &system.key, &system.id, &system.secret, &id] {
            assert!(!text.contains(secret), "{place} names {secret}");
        }
    }
}
