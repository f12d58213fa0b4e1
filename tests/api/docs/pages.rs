//! The documentation for people works without any other host, and shows nothing of tenants.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Answer, ApiDocument, RawClient, Server, bare_head};

/// Returns the values of these attributes.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    html.split(opening.as_str()).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("UTF-8")
}

/// Returns all pages that can be reached from `/docs`, with their addresses. Fails at a link that leads nowhere
/// or to another host.
fn pages(server: &Server) -> Vec<(String, Answer)> {
    let mut pages: Vec<(String, Answer)> = Vec::new();
    let mut open = vec!["/docs".to_owned()];
    let mut links = BTreeSet::new();
    while let Some(path) = open.pop() {
        if pages.iter().any(|(seen, _)| *seen == path) {
            continue;
        }
        let answer = server.manage("GET", &path).send().status(200);
        if answer.must_have("content-type").starts_with("text/html") {
            let html = text(&answer);
            for link in attributes(&html, "href").into_iter().chain(attributes(&html, "src")) {
                assert!(link.starts_with(['/', '#']) && !link.starts_with("//"), "{path} links to {link}");
                let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
                let to = if to.is_empty() { path.as_str() } else { to };
                links.insert((path.clone(), to.to_owned(), anchor.to_owned()));
                open.push(to.to_owned());
            }
        }
        pages.push((path, answer));
    }
    for (from, to, anchor) in links.iter().filter(|(_, _, anchor)| !anchor.is_empty()) {
        let (_, target) = pages.iter().find(|(path, _)| path == to).expect("a page that was read");
        let there = attributes(&text(target), "id").contains(&anchor.as_str());
        assert!(there, "{from} links to {to}#{anchor}, which does not exist");
    }
    pages
}

#[test]
fn documentation_pages_need_no_other_host_and_have_no_dead_link() {
    let server = Server::start();
    let pages = pages(&server);
    let paths: Vec<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
    for expected in ["/docs/appliance", "/docs/portals", "/docs/limits", "/docs/reference", "/docs/errors"] {
        assert!(paths.contains(&expected), "{expected} is not linked: {paths:?}");
    }
    for (path, answer) in &pages {
        let policy = answer.must_have("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.must_have("x-content-type-options"), "nosniff", "{path}");
        // A page that contains the `Host` must not be stored by shared caches.
        let repeats = ["/openapi.json", "/llms.txt", "/docs", "/docs/reference"].contains(&path.as_str());
        let who = if repeats { "private" } else { "public" };
        assert_eq!(answer.must_have("cache-control"), format!("{who}, max-age=300"), "{path}");
        let kind = answer.must_have("content-type");
        if !kind.starts_with("text/html") && !kind.starts_with("text/css") {
            continue;
        }
        let html = text(answer);
        for inside in ["<script", "<iframe", "<img", " style=", " onclick", "@import", "url("] {
            assert!(!html.contains(inside), "{path} has {inside}");
        }
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
    check("/docs/appliance.md", 200, "text/markdown; charset=utf-8");
    for path in ["/docs", "/docs/reference", "/docs/errors", "/docs/errors/not_found", "/docs/appliance"] {
        check(path, 200, html);
    }
    for path in ["/docs/nothing", "/docs/nothing.md", "/docs/errors/nothing"] {
        check(path, 404, html);
    }
}

#[test]
fn openapi_document_does_not_describe_the_documentation() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let own =
        |path: &str| ["/docs", "/openapi.json", "/llms.txt", "/mcp"].iter().any(|own| path.starts_with(own));
    assert_eq!(api.operations().map(|(_, path, _)| path).find(|path| own(path)), None);
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
fn reference_page_shows_every_operation() {
    let server = Server::start();
    let html = text(&server.manage("GET", "/docs/reference").send().status(200));
    for (method, path, operation) in ApiDocument::of(&server).operations() {
        let anchor = format!("id=\"{}\"", operation["operationId"].as_str().expect("an id"));
        assert!(html.contains(&anchor), "{method} {path}");
        for status in operation["responses"].as_object().expect("answers").keys() {
            assert!(html.contains(&format!(">{status}</span>")), "{method} {path} {status}");
        }
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
    let mut texts: Vec<(String, String)> =
        pages(&server).into_iter().map(|(path, answer)| (path, text(&answer))).collect();
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
