//! Each library is used only in the modules that hide it, modules import only what is below them, and code
//! outside the tests has no deliberate panic.

use crate::source::Source;

/// The first word of a path in code, and the only places that may use it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("diesel", &["db/"]),
    ("diesel_migrations", &["db/"]),
    ("rusoto_core", &["store/s3"]),
    ("rusoto_credential", &["store/s3"]),
    ("rusoto_s3", &["store/s3"]),
    ("rusoto_signature", &["store/s3"]),
    ("actix_web", &["http/", "startup"]),
    ("actix_web_httpauth", &["http/"]),
    // `telemetry/demoted` names the targets of their log lines.
    ("actix_http", &["http/", "telemetry/demoted"]),
    ("actix_server", &["http/", "telemetry/demoted"]),
    ("actix_service", &["http/"]),
    ("httparse", &["http/framing/"]),
    ("tokio_rustls", &["http/"]),
    ("actix", &["actors/"]),
    // The documentation is generated where HTTP is handled.
    ("utoipa", &["http/"]),
    ("rmcp", &["http/docs/", "telemetry/demoted"]),
    ("csv_core", &["http/management/"]),
    ("pulldown_cmark", &["http/docs/"]),
    ("clap", &["cli/", "main.rs", "config"]),
    ("nix", &["cli/account"]),
    ("jsonwebtoken", &["auth/bearer/"]),
    // rustls' name for its provider, too.
    ("aws_lc_rs", &["auth/bearer/", "http/tls"]),
];

/// The same for paths of two words: `store` reads and writes backups, `http/tls` and `auth/bearer` read
/// certificates and keys at the start, and the command line writes downloads.
const STANDARD_MODULES: &[(&str, &[&str])] = &[
    ("std::fs", &["store/", "cli/", "config", "http/tls", "auth/bearer/"]),
    ("tokio::fs", &["store/", "cli/", "config", "http/tls"]),
    ("std::env", &["config", "cli/", "failpoints", "startup/systemd", "telemetry", "main.rs"]),
];

/// The modules that a module may import. `lib` documents the modules and names them all.
const IMPORTS: &[(&str, &[&str])] = &[
    ("main", &["cli", "telemetry"]),
    ("cli", &["startup", "config", "tasks", "db", "store", "auth", "domain", "telemetry"]),
    (
        "startup",
        &[
            "config",
            "http",
            "tasks",
            "backups",
            "fleet",
            "actors",
            "db",
            "store",
            "auth",
            "domain",
            "telemetry",
        ],
    ),
    ("config", &["auth", "store", "domain", "telemetry"]),
    ("http", &["backups", "fleet", "auth", "domain", "telemetry"]),
    ("tasks", &["backups", "fleet", "db", "store", "domain", "telemetry"]),
    ("backups", &["actors", "auth", "db", "store", "domain", "telemetry"]),
    ("fleet", &["actors", "auth", "db", "store", "domain", "telemetry"]),
    ("actors", &["db", "domain", "telemetry"]),
    ("db", &["domain", "telemetry"]),
    ("store", &["domain", "telemetry"]),
    ("auth", &["db", "domain", "telemetry"]),
    ("domain", &[]),
    ("telemetry", &[]),
    // A macro for every module; without its feature nothing of it can be imported.
    ("failpoints", &[]),
];

/// Returns the first part of a file's path: its module of the first level.
fn top_module(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or_default()
}

/// Returns how many `super` lead out of the module of the first level.
fn depth(path: &str) -> usize {
    let below = path.split('/').count();
    if path.ends_with("/mod.rs") { below - 1 } else { below }
}

fn imported_module(source: &Source, path: &[String]) -> Option<String> {
    let module = match path.first()?.as_str() {
        "crate" | "strongroom" => path.get(1)?,
        "super" => {
            let up = path.iter().take_while(|word| *word == "super").count();
            if up < depth(&source.path) {
                return None;
            }
            path.get(up)?
        }
        _ => return None,
    };
    IMPORTS.iter().any(|(known, _)| known == module).then(|| module.clone())
}

fn breaches(source: &Source) -> Vec<String> {
    let mut breaches = Vec::new();
    let (file, paths) = (&source.path, source.paths());
    let may = |places: &[&str]| places.iter().any(|place| file.starts_with(place));
    for (library, places) in LIBRARIES {
        if !may(places) && paths.iter().any(|path| path.first().is_some_and(|word| word == library)) {
            breaches.push(format!("{file} names {library}"));
        }
    }
    for (module, places) in STANDARD_MODULES {
        if !may(places) && paths.iter().any(|path| path.len() > 1 && path[..2].join("::") == *module) {
            breaches.push(format!("{file} names {module}"));
        }
    }
    let own = top_module(file);
    if own != "lib" {
        let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == own) else {
            breaches.push(format!("{file} is in no known module"));
            return breaches;
        };
        for module in paths.iter().filter_map(|path| imported_module(source, path)) {
            if module != own && !allowed.contains(&module.as_str()) {
                breaches.push(format!("{file} imports {module}"));
            }
        }
    }
    let may_panic = may(&["startup", "main.rs"]) || source.is_test();
    for call in [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!("] {
        if !may_panic && source.code.contains(call) {
            breaches.push(format!("{file} has {call}"));
        }
    }
    breaches.sort();
    breaches.dedup();
    breaches
}

#[test]
fn libraries_stay_in_their_modules_and_nothing_imports_upward() {
    let breaches: Vec<String> = Source::all().iter().flat_map(breaches).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn breaches_of_the_layers_are_found() {
    let table = [
        ("http/list.rs", "use diesel::prelude::*;", "http/list.rs names diesel"),
        ("backups/upload.rs", "fn f(c: &mut diesel::PgConnection) {}", "backups/upload.rs names diesel"),
        ("store/local.rs", "use rusoto_s3::S3;", "store/local.rs names rusoto_s3"),
        ("backups/upload.rs", "use actix_web::web;", "backups/upload.rs names actix_web"),
        ("http/upload.rs", "use actix::Addr;", "http/upload.rs names actix"),
        ("backups/upload.rs", "let x = std::fs::read(p);", "backups/upload.rs names std::fs"),
        ("tasks/purge.rs", "use tokio::{fs, sync};", "tasks/purge.rs names tokio::fs"),
        ("domain/ids.rs", "use crate::db::Pool;", "domain/ids.rs imports db"),
        ("db/backups.rs", "use crate::{domain::Id, http::error};", "db/backups.rs imports http"),
        ("db/backups.rs", "use super::super::backups::Upload;", "db/backups.rs imports backups"),
        ("db/mod.rs", "use super::actors;", "db/mod.rs imports actors"),
        ("actors/mod.rs", "use crate::store::Store;", "actors/mod.rs imports store"),
        ("http/bearer.rs", "use jsonwebtoken::decode;", "http/bearer.rs names jsonwebtoken"),
        ("http/upload.rs", "use crate::config::Config;", "http/upload.rs imports config"),
        ("cellar/mod.rs", "", "cellar/mod.rs is in no known module"),
        ("domain/ids.rs", "let x = y.unwrap();", "domain/ids.rs has .unwrap()"),
        ("db/pool.rs", "let x = y.expect(\"why\");", "db/pool.rs has .expect("),
    ];
    for (path, text, breach) in table {
        assert_eq!(breaches(&Source::new(path, text)), [breach], "{text}");
    }
}

#[test]
fn allowed_imports_are_no_breaches() {
    let table = [
        ("db/pool.rs", "use diesel::r2d2;\nuse crate::domain::Id;\nuse super::error::DbError;"),
        (
            "http/upload.rs",
            "use actix_web::web;\nuse crate::{backups::Backups, domain::Id};\nuse super::error::Error;",
        ),
        ("startup.rs", "actix_web::rt::System::new().block_on(serve()).expect(\"a runtime\");"),
        ("domain/window.rs", "// diesel::prelude and .unwrap() in a comment\nlet url = \"http://x\";"),
        ("domain/window.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n    fn f() { x.unwrap(); }\n}\n"),
        (
            "domain/window.rs",
            "let x = y.unwrap_or(0); let z = y.unwrap_or_default(); let e = y.expect_err();",
        ),
        ("store/local.rs", "use tokio::fs::File;\nuse std::fs;"),
        ("domain/accounting/commit.rs", "use super::Row;\nuse super::super::ids::Id;"),
    ];
    for (path, text) in table {
        assert_eq!(breaches(&Source::new(path, text)), Vec::<String>::new(), "{text}");
    }
}
