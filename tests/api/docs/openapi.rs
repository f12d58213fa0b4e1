//! The OpenAPI document describes everything that the server does, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{
    ApiDocument, BACKUPS, LinkFault, RawClient, Server, TIMEOUT, assert_eventually, bare_head, bytes,
    digest_field,
};

const ONE: &str = "/api/systems/backups/{id}";

/// Calls `see` for every value in the document, with its path.
fn walk<'a>(value: &'a Value, at: &str, see: &mut impl FnMut(&str, &'a Value)) {
    see(at, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            walk(value, &format!("{at}/{name}"), see);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| walk(value, &format!("{at}/{n}"), see));
        }
        _ => {}
    }
}

#[test]
fn openapi_document_is_3_1_and_resolves_all_its_references() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let document = api.document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = 0;
    walk(document, "", &mut |at, value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            assert!(target.is_some_and(|target| !target.is_null()), "{at} refers to {reference}");
            references += 1;
        }
    });
    assert!(references > 10, "{references} references");
    let ids: Vec<&Value> = api.operations().map(|(_, _, operation)| &operation["operationId"]).collect();
    assert!(ids.iter().all(|id| id.is_string()));
    assert_eq!(ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for (method, path, operation) in api.operations() {
        for requirement in operation["security"].as_array().into_iter().flatten() {
            for scheme in requirement.as_object().expect("a requirement").keys() {
                assert!(
                    document["components"]["securitySchemes"][scheme].is_object(),
                    "{method} {path}: {scheme}"
                );
            }
        }
        let tags: Vec<&Value> =
            document["tags"].as_array().into_iter().flatten().map(|tag| &tag["name"]).collect();
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path} is in no chapter");
    }
}

#[test]
fn every_openapi_example_fits_its_schema() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let mut seen = 0;
    for (method, path, operation) in api.operations() {
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            for (media_type, content) in answer["content"].as_object().into_iter().flatten() {
                let several = content["examples"].as_object().into_iter().flatten();
                let examples: Vec<&Value> =
                    several.map(|(_, example)| &example["value"]).chain(content.get("example")).collect();
                let place = format!("{method} {path} {status} {media_type}");
                assert!(!examples.is_empty(), "{place} has no example");
                for example in examples {
                    api.fits(&content["schema"], example).unwrap_or_else(|e| panic!("{place}: {e}"));
                    seen += 1;
                }
            }
            for (name, header) in answer["headers"].as_object().into_iter().flatten() {
                let fits = api.fits(&header["schema"], &header["example"]);
                fits.unwrap_or_else(|e| panic!("{method} {path} {status} {name}: {e}"));
            }
        }
    }
    assert!(seen > 30, "{seen} examples");
}

/// Returns the paths in the route tables of both APIs: the arguments of `web::resource` and `read_only`. The
/// document omits the documentation's own routes.
fn routes() -> BTreeSet<String> {
    let mut folders = vec![crate::common::repository().join("src/http")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources").flatten() {
            if entry.path().is_dir() {
                if !entry.path().ends_with("http/docs") {
                    folders.push(entry.path());
                }
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("a source file");
            // The routes after a scope belong to it; there is at most one scope, and it comes last.
            let (outside, scope) = text.split_once("web::scope(\"").unwrap_or((&text, ""));
            assert!(!scope.contains("web::scope("), "a second scope");
            let prefix = scope.split('"').next().unwrap_or_default();
            for (text, prefix) in [(outside, ""), (scope, prefix)] {
                for opening in ["resource(\"", "read_only(\""] {
                    let rest = text.split(opening).skip(1).filter_map(|rest| rest.split_once('"'));
                    found.extend(rest.map(|(path, _)| format!("{prefix}{path}")));
                }
            }
        }
    }
    found
}

#[test]
fn openapi_document_lists_exactly_the_routes_and_methods() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let paths = api.document()["paths"].as_object().expect("paths");
    let said: BTreeSet<String> = paths.keys().cloned().collect();
    let routes = routes();
    assert!(routes.len() > 10, "{routes:?}");
    assert_eq!(said, routes);
    for (path, item) in paths {
        let servers = item["servers"].as_array().expect("servers").iter();
        let servers: Vec<&str> = servers.filter_map(|one| one["url"].as_str()).collect();
        let place = path.replace(['{', '}'], "");
        let collect = servers.contains(&server.url("").as_str()).then(|| server.request("PUT", &place));
        let manage =
            servers.contains(&server.management_url("").as_str()).then(|| server.manage("PUT", &place));
        let requests: Vec<_> = collect.into_iter().chain(manage).collect();
        assert_eq!(requests.len(), servers.len(), "{path}: {servers:?}");
        assert!(!requests.is_empty(), "{path} is nowhere");
        for request in requests {
            let answer = request.send().status(405);
            let allowed: BTreeSet<String> =
                answer.must_have("allow").split(',').map(|method| method.trim().to_owned()).collect();
            let operations = api.operations().filter(|(_, p, _)| p == path);
            let mut expected: BTreeSet<String> = operations.map(|(method, _, _)| method).collect();
            assert!(!expected.contains("HEAD"), "{path} describes HEAD, which is like GET everywhere");
            if expected.contains("GET") {
                expected.insert("HEAD".to_owned());
            }
            assert_eq!(allowed, expected, "{path}");
        }
    }
}

#[test]
fn answers_of_the_collect_api_match_the_openapi_document() {
    let server = Server::with([("BACKUP_MAX_UPLOAD_SIZE", "1000"), ("BACKUP_RATE_LIMIT_PER_MINUTE", "7")]);
    let impatient = server.sibling_with("BACKUP_BODY_IDLE_TIMEOUT", 1);
    let api = ApiDocument::of(&server);
    let post = |answer| api.describes("POST", BACKUPS, &answer);
    let system = server.system();
    let upload = |body: &[u8]| server.upload(&system).body(body);
    let first = upload(b"one").header("x-filename", "one.tar.gz").send().status(201);
    let id = first.id();
    post(first);
    post(upload(b"").send().status(400));
    post(upload(b"x").header("content-digest", "sha-256=what").send().status(400));
    post(upload(b"x").header("content-digest", digest_field(b"y")).send().status(400));
    post(server.request("POST", BACKUPS).body("x").send().status(401));
    post(RawClient::upload(&impatient, &system, &["Content-Length: 10"]).answer().status(408));
    post(upload(&bytes(1001)).send().status(413));
    post(server.put(&server.system_with_quota(1), b"xx").status(413));
    let full = (0..10).map(|_| upload(b"x").send()).find(|answer| answer.status == 429);
    post(full.expect("a rate limit"));

    api.describes("GET", BACKUPS, &server.get(BACKUPS).user(&system).send().status(200));
    api.describes("HEAD", BACKUPS, &server.request("HEAD", BACKUPS).user(&system).send().status(200));
    api.describes("GET", BACKUPS, &server.get(BACKUPS).send().status(401));

    let get = |id: &str, header: (&str, &str), status| {
        let answer = server.fetch(&system, id).header(header.0, header.1).send().status(status);
        api.describes("GET", ONE, &answer);
        answer
    };
    let etag = get(&id, ("range", "none"), 200).must_have("etag").to_owned();
    get(&id, ("range", "bytes=1-1"), 206);
    get(&id, ("range", "bytes=9-"), 416);
    get(&id, ("if-none-match", &etag), 304);
    get("nothing", ("range", "none"), 400);
    let foreign = server.store(&server.system(), b"x");
    get(&foreign, ("range", "none"), 404);
    let one = format!("{BACKUPS}/{id}");
    api.describes("GET", ONE, &server.get(&one).send().status(401));
    api.describes("HEAD", ONE, &server.request("HEAD", &one).user(&system).send().status(200));

    api.describes("DELETE", ONE, &server.delete(&system, "nothing").status(400));
    api.describes("DELETE", ONE, &server.delete(&system, &foreign).status(404));
    api.describes("DELETE", ONE, &server.request("DELETE", &one).send().status(401));
    api.describes("DELETE", ONE, &server.delete(&system, &id).status(200));
    // On a busy machine the disk may be slow for a moment; a result is cached for a second.
    assert_eventually("healthy", TIMEOUT, || server.get("/api/health").send().status == 200);
    for path in ["/api/health", "/api/health/live"] {
        api.describes("GET", path, &server.get(path).send().status(200));
        api.describes("HEAD", path, &server.request("HEAD", path).send().status(200));
    }
}

#[test]
fn answers_during_outages_match_the_openapi_document() {
    let (link, server) = Server::on_a_link();
    let api = ApiDocument::of(&server);
    let system = server.system();
    let id = server.store(&system, b"x");
    server.store.remove(&server.object_key(&id));
    api.describes("GET", ONE, &server.fetch(&system, &id).send().status(503));
    server.delete(&system, &id).status(200);
    link.inject(LinkFault::Refused);
    api.describes("POST", BACKUPS, &server.put(&system, b"x").status(503));
    api.describes("GET", BACKUPS, &server.get(BACKUPS).user(&system).send().status(503));
    api.describes("GET", ONE, &server.fetch(&system, &id).send().status(503));
    api.describes("DELETE", ONE, &server.delete(&system, &id).status(503));
    api.describes("GET", "/api/health", &server.get("/api/health").send().status(503));
    link.repair();
}

#[test]
fn openapi_servers_are_the_public_urls_or_the_requests_host() {
    let server = Server::with([("PUBLIC_URL", "https://collect.example"), ("BACKUP_MAX_PER_SYSTEM", "2")]);
    let servers = |host: &str| {
        let mut raw = RawClient::to_management(&server);
        raw.send(bare_head("GET", "/openapi.json", &[]).replace("vault.example", host));
        let document = raw.answer().status(200).json();
        (
            document["paths"][BACKUPS]["servers"][0]["url"].as_str().expect("a server").to_owned(),
            document["paths"]["/backup/{siteId}"]["servers"][0]["url"].as_str().expect("a server").to_owned(),
        )
    };
    let collect = "https://collect.example".to_owned();
    assert_eq!(servers("vault.example:99"), (collect.clone(), "http://vault.example:99".to_owned()));
    for nonsense in ["a/b", "<b>", "x@y", "a b", "\"x"] {
        assert_eq!(servers(nonsense), (collect.clone(), server.management_url("")), "{nonsense}");
    }
    let named = server.sibling_with("MANAGEMENT_PUBLIC_URL", "https://manage.example");
    let document = named.manage("GET", "/openapi.json").send().json();
    assert_eq!(document["paths"]["/backup/{siteId}"]["servers"][0]["url"], "https://manage.example");
}
