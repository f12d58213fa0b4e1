//! The rules of the house, as far as a small program can see them: each library stays in its room, nothing imports
//! upward, files stay short, and nothing that runs panics on purpose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file that is still read in one sitting.
const LONGEST: usize = 400;

/// First word of a path in code, and the only places that may name it.
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
    ("actix_server", &["http/"]),
    ("actix_service", &["http/"]),
    ("httparse", &["http/framing/"]),
    ("tokio_rustls", &["http/"]),
    ("actix", &["actors/"]),
    // Documentation is made where HTTP is spoken.
    ("utoipa", &["http/"]),
    ("rmcp", &["http/docs/", "telemetry/demoted"]),
    ("pulldown_cmark", &["http/docs/"]),
    ("clap", &["cli/", "main.rs", "config"]),
    ("jsonwebtoken", &["auth/bearer/"]),
    // What rustls calls its provider, too.
    ("aws_lc_rs", &["auth/bearer/", "http/tls"]),
];

/// The same for paths of two words: files of backups are the store's, certificates and secrets are read at start,
/// and the command line writes what it fetched.
const MODULES: &[(&str, &[&str])] = &[
    ("std::fs", &["store/", "cli/", "config", "http/tls", "auth/bearer/"]),
    ("tokio::fs", &["store/", "cli/", "config", "http/tls"]),
    ("std::env", &["config", "cli/", "failpoints", "startup/systemd", "telemetry", "main.rs"]),
];

/// Which rooms a room may import. `lib` is the map and names them all.
const IMPORTS: &[(&str, &[&str])] = &[
    ("main", &["cli", "telemetry"]),
    ("cli", &["startup", "config", "tasks", "db", "store", "auth", "domain", "telemetry"]),
    (
        "startup",
        &["config", "http", "tasks", "backups", "actors", "db", "store", "auth", "domain", "telemetry"],
    ),
    ("config", &["domain", "telemetry"]),
    ("http", &["backups", "auth", "domain", "telemetry"]),
    ("tasks", &["backups", "db", "store", "domain", "telemetry"]),
    ("backups", &["actors", "auth", "db", "store", "domain", "telemetry"]),
    ("actors", &["db", "domain", "telemetry"]),
    ("db", &["domain", "telemetry"]),
    ("store", &["domain", "telemetry"]),
    ("auth", &["db", "domain", "telemetry"]),
    ("domain", &[]),
    ("telemetry", &[]),
    // A macro for every room, and nothing that can be imported without its feature.
    ("failpoints", &[]),
];

/// A source file: its path below `src`, and its code without comments and without its tests.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: without_tests(&without_comments(text)) }
    }

    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// How many `super` lead out of the room.
    fn depth(&self) -> usize {
        let below = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { below - 1 } else { below }
    }

    /// Everything that looks like a path: `a::b::c`, with groups opened (`a::{b, c}` is `a::b` and `a::c`).
    fn paths(&self) -> BTreeSet<Vec<String>> {
        let mut found = BTreeSet::new();
        let mut groups: Vec<Vec<String>> = Vec::new();
        let mut word = String::new();
        for c in self.code.chars().chain([' ']) {
            if c.is_alphanumeric() || c == '_' || c == ':' {
                word.push(c);
                continue;
            }
            let opens = c == '{' && word.ends_with("::");
            let outer = groups.last().cloned().unwrap_or_default();
            let own =
                word.split("::").filter(|part| !part.is_empty() && !part.contains(':')).map(str::to_owned);
            let path: Vec<String> = outer.into_iter().chain(own).collect();
            match c {
                '{' => groups.push(if opens { path.clone() } else { Vec::new() }),
                '}' => drop(groups.pop()),
                _ => {}
            }
            if !word.is_empty() {
                found.insert(path);
            }
            word.clear();
        }
        found
    }

    fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let paths = self.paths();
        let may = |places: &[&str]| places.iter().any(|place| self.path.starts_with(place));
        for (library, places) in LIBRARIES {
            if !may(places) && paths.iter().any(|path| path.first().is_some_and(|word| word == library)) {
                breaches.push(format!("{} names {library}", self.path));
            }
        }
        for (module, places) in MODULES {
            if !may(places) && paths.iter().any(|path| path.len() > 1 && path[..2].join("::") == *module) {
                breaches.push(format!("{} names {module}", self.path));
            }
        }
        if self.room() != "lib" {
            let allowed = IMPORTS.iter().find(|(room, _)| *room == self.room()).map(|(_, rooms)| *rooms);
            let Some(allowed) = allowed else {
                breaches.push(format!("{} is in no known room", self.path));
                return breaches;
            };
            for room in paths.iter().filter_map(|path| self.imported_room(path)) {
                if room != self.room() && !allowed.contains(&room.as_str()) {
                    breaches.push(format!("{} imports {room}", self.path));
                }
            }
        }
        let may_panic = may(&["startup", "main.rs"]) || self.is_test();
        for call in [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!("] {
            if !may_panic && self.code.contains(call) {
                breaches.push(format!("{} has {call}", self.path));
            }
        }
        breaches.sort();
        breaches.dedup();
        breaches
    }

    fn imported_room(&self, path: &[String]) -> Option<String> {
        let room = match path.first()?.as_str() {
            "crate" | "strongroom" => path.get(1)?,
            "super" => {
                let up = path.iter().take_while(|word| *word == "super").count();
                if up < self.depth() {
                    return None;
                }
                path.get(up)?
            }
            _ => return None,
        };
        IMPORTS.iter().any(|(known, _)| known == room).then(|| room.clone())
    }
}

/// Cuts `// ...`, but not the `//` of a URL in a string.
fn without_comments(text: &str) -> String {
    let cut = |line: &str| {
        let mut from = 0;
        while let Some(at) = line[from..].find("//").map(|at| at + from) {
            if !line[..at].ends_with(':') {
                return line[..at].to_owned();
            }
            from = at + 2;
        }
        line.to_owned()
    };
    text.lines().map(|line| cut(line) + "\n").collect()
}

/// Cuts each module that is compiled for tests only, up to its closing brace at the same indent.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = &line[..line.len() - line.trim_start().len()];
            let item = lines.next().unwrap_or_default();
            if item.trim_end().ends_with('{') {
                let end = format!("{indent}}}");
                let _ = lines.by_ref().find(|line| line.trim_end() == end);
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// All files below a folder of the checkout with this extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn libraries_stay_in_their_rooms_and_nothing_imports_upward() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = files("src", "rs");
    assert!(!sources.is_empty());
    let mut breaches = Vec::new();
    for file in sources {
        let path = file.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
        let source = Source::new(&path, &fs::read_to_string(&file).expect("a source file"));
        if !source.is_test() {
            breaches.extend(source.breaches());
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut long = Vec::new();
    for file in
        [files("src", "rs"), files("tests", "rs"), files("src", "sql"), files("script/load/src", "rs")]
            .concat()
    {
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        if lines > LONGEST {
            long.push(format!("{} has {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    let lines = fs::read_to_string(main).expect("main.rs").lines().count();
    assert!(lines < 60, "main.rs has {lines} lines");
}

#[test]
fn breaches_of_the_rules_are_seen() {
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
        ("cellar/mod.rs", "", "cellar/mod.rs is in no known room"),
        ("domain/ids.rs", "let x = y.unwrap();", "domain/ids.rs has .unwrap()"),
        ("db/pool.rs", "let x = y.expect(\"why\");", "db/pool.rs has .expect("),
    ];
    for (path, text, breach) in table {
        assert_eq!(Source::new(path, text).breaches(), [breach], "{text}");
    }
}

#[test]
fn what_is_allowed_is_not_taken_for_a_breach() {
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
        assert_eq!(Source::new(path, text).breaches(), Vec::<String>::new(), "{text}");
    }
}
