//! Systems and backups of others do not exist for a caller: every route with every such id gives the same bytes.

use crate::harness::{Answer, Login, Server, bytes};

/// Method, path with `{system}` and `{backup}`, headers.
type Route = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const ROUTES: &[Route] = &[
    ("GET", "/api/systems/{system}/backups", &[]),
    ("HEAD", "/api/systems/{system}/backups", &[]),
    ("GET", "/api/systems/{system}/backups/{backup}/download", &[]),
    ("HEAD", "/api/systems/{system}/backups/{backup}/download", &[]),
    ("DELETE", "/api/systems/{system}/backups/{backup}", &[]),
    ("GET", "/api/systems/{system}/requests", &[]),
    ("HEAD", "/api/systems/{system}/requests", &[]),
    ("DELETE", "/api/systems/{system}/requests/{request}", &[]),
    ("POST", "/backup/{system}", &[]),
    ("GET", "/backup/{system}", &[]),
    ("HEAD", "/backup/{system}", &[]),
    ("GET", "/backup/{system}/{backup}", &[]),
    ("GET", "/backup/{system}/{backup}", &[("x-download", "true")]),
    ("GET", "/backup/{system}/{backup}", &[("x-view", "true")]),
    ("HEAD", "/backup/{system}/{backup}", &[("x-download", "true")]),
];

const UNKNOWN: &str = "018f3a5c-7b1e-7c3d-9a2b-0123456789ab";

/// Returns the parts of an answer that do not depend on the time.
fn without_time(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    (answer.status, headers, answer.body.clone())
}

#[test]
fn foreign_ids_are_404_on_every_route() {
    let login = Login::new();
    let server = Server::builder().no_rate_limit().login(&login).start();
    let own = server.system();
    let sibling = server.add_system(&own.org, "of the same organization");
    let foreign = server.system();
    let destroyed = server.add_system(&own.org, "to be destroyed");
    let mine = server.store(&own, &bytes(10));
    let siblings = server.store(&sibling, &bytes(10));
    let theirs = server.store(&foreign, &bytes(10));
    let gone = server.store(&own, &bytes(10));
    server.delete(&own, &gone).status(200);
    let doomed = server.store(&destroyed, &bytes(10));
    server.mark_destroying(&destroyed);
    let (asked, theirs_asked, siblings_asked) =
        (server.request_backup(&own), server.request_backup(&foreign), server.request_backup(&sibling));
    let other_extension = mine.replace(".bin", ".gpg");
    let unknown = format!("{UNKNOWN}.gpg");
    let longest = "a".repeat(2000);

    let systems: Vec<&str> = vec![
        &foreign.id,
        &destroyed.id,
        UNKNOWN,
        &own.key,
        "nonsense",
        "..%2f..",
        "%00",
        "%ff",
        "1",
        &longest,
    ];
    let backups: Vec<&str> = vec![
        &siblings,
        &theirs,
        &gone,
        &doomed,
        &unknown,
        &other_extension,
        "nonsense",
        "%2e%2e",
        "%ff",
        &theirs_asked,
        &siblings_asked,
        "..%2fx",
        &longest,
    ];
    let token = login.token(&own.org, "backup:view backup:create backup:delete");
    for (method, path, headers) in ROUTES {
        let ask = |system: &str, backup: &str| {
            let path =
                path.replace("{system}", system).replace("{backup}", backup).replace("{request}", backup);
            let request = server.manage(method, &path).bearer(&token);
            // With a chunked body, its arrival decides whether the connection can be kept.
            let request = if *method == "POST" { request.body("") } else { request };
            headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
        };
        let expected = without_time(&ask(UNKNOWN, &unknown));
        assert_eq!(expected.0, 404, "{method} {path}");
        let mut pairs: Vec<(&str, &str)> = systems
            .iter()
            .flat_map(|system| {
                [mine.as_str(), &theirs, &unknown, &asked, &theirs_asked, "nonsense"]
                    .map(|backup| (*system, backup))
            })
            .collect();
        if path.contains("{backup}") || path.contains("{request}") {
            pairs.extend(backups.iter().map(|backup| (own.id.as_str(), *backup)));
        }
        for (system, backup) in pairs {
            // The gateway uses one page for "no such site" and "no such backup", but the code names which it is.
            let mut answer = without_time(&ask(system, backup));
            if system == own.id && path.starts_with("/backup/") {
                let text = String::from_utf8_lossy(&answer.2).replace("backup not found", "system not found");
                answer.2 = text.into_bytes();
                answer.1.retain(|(name, _)| name != "content-length");
                let mut expected = expected.clone();
                expected.1.retain(|(name, _)| name != "content-length");
                assert_eq!(answer, expected, "{method} {path}: {system} {backup}");
                continue;
            }
            assert_eq!(answer, expected, "{method} {path}: {system} {backup}");
            let text = String::from_utf8_lossy(&answer.2);
            assert!(!text.contains(system) || system == "1", "the id is repeated: {text}");
        }
    }
    assert_eq!(server.ids(&own), [mine]);
    assert_eq!(server.ids(&foreign), [theirs]);
    assert_eq!(server.events("deleted"), 1, "only the appliance's own");
    assert_eq!(server.events("downloaded"), 0);
    for request in [asked, theirs_asked, siblings_asked] {
        assert_eq!(server.request_state(&request), "pending");
    }
    assert_eq!((server.events("requested"), server.events("request_cancelled")), (3, 0));
}

#[test]
fn own_ids_are_found_on_every_route() {
    let login = Login::new();
    let server = Server::builder().login(&login).start();
    let system = server.system();
    let id = server.store(&system, b"text");
    let token = login.token(&system.org, "backup:view backup:create");
    for (method, path, headers) in ROUTES.iter().filter(|(method, ..)| ["GET", "HEAD"].contains(method)) {
        let path = path.replace("{system}", &system.id).replace("{backup}", &id);
        let request = server.manage(method, &path).bearer(&token);
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().status(200);
    }
}
