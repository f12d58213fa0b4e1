//! Which file of `src` imports which: every path in a file, resolved through imports and re-exports to the file
//! that defines the name.
//!
//! A module's own file (`mod.rs`) is built of its parts, and its parts use the types that it defines. Together
//! they are one thing in several files, so the own file's imports from its parts do not count. A part's imports
//! do, from its module's own file as from any other.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, paths};

/// From a file to the files that define the names it uses, each with these names.
pub type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

type ModulePath = Vec<String>;

/// One file, which is one module.
struct Module {
    file: String,
    /// The paths in the code, without those of re-exports that the file itself does not use.
    named: BTreeSet<Vec<String>>,
    /// The names that `use` imports, with their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// The paths of `use path::*`.
    globs: Vec<Vec<String>>,
    /// The names that the file defines.
    items: BTreeSet<String>,
}

pub struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

/// The target of a path.
#[derive(Clone)]
enum Target {
    Module(ModulePath),
    Item(ModulePath),
}

impl Crate {
    pub fn new(sources: &[Source]) -> Self {
        let modules = sources.iter().filter(|source| source.path != "main.rs");
        Self { modules: modules.map(|source| (module_path(&source.path), Module::new(source))).collect() }
    }

    pub fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (own, module) in &self.modules {
            for path in &module.named {
                let Some(Target::Item(target)) = self.resolve(own, path, 0) else { continue };
                let file = &self.modules[&target].file;
                let is_part = target.len() > own.len() && target.starts_with(own);
                if *file != module.file && !is_part {
                    let edges = graph.entry(module.file.clone()).or_default();
                    edges.entry(file.clone()).or_default().insert(path.join("::"));
                }
            }
        }
        graph
    }

    /// Resolves a path in the module `from`; returns nothing for another crate's path.
    fn resolve(&self, from: &ModulePath, path: &[String], depth: usize) -> Option<Target> {
        let first = path.first().filter(|_| depth < 20)?;
        let (mut at, mut rest) = match first.as_str() {
            "crate" | "strongroom" => (Vec::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (from[..from.len().checked_sub(1)?].to_vec(), &path[1..]),
            name if self.knows(from, name) => (from.clone(), path),
            _ => return None,
        };
        while let Some((name, behind)) = rest.split_first() {
            if name == "super" {
                at.pop()?;
                rest = behind;
                continue;
            }
            if name == "self" {
                rest = behind;
                continue;
            }
            let below: ModulePath = at.iter().chain([name]).cloned().collect();
            if self.modules.contains_key(&below) {
                (at, rest) = (below, behind);
                continue;
            }
            let module = self.modules.get(&at)?;
            if module.items.contains(name) {
                return Some(Target::Item(at));
            }
            let imported = module.imports.get(name).and_then(|path| self.resolve(&at, path, depth + 1));
            match imported.or_else(|| self.through_globs(&at, name, depth)) {
                Some(Target::Module(module)) => (at, rest) = (module, behind),
                found => return found,
            }
        }
        Some(Target::Module(at))
    }

    fn through_globs(&self, at: &ModulePath, name: &str, depth: usize) -> Option<Target> {
        self.modules[at].globs.iter().find_map(|glob| {
            let path: Vec<String> = glob.iter().cloned().chain([name.to_owned()]).collect();
            self.resolve(at, &path, depth + 1)
        })
    }

    fn knows(&self, module: &ModulePath, name: &str) -> bool {
        let below: ModulePath = module.iter().cloned().chain([name.to_owned()]).collect();
        let own = &self.modules[module];
        self.modules.contains_key(&below) || own.imports.contains_key(name)
    }
}

impl Module {
    fn new(source: &Source) -> Self {
        let (uses, rest) = split_uses(&source.code);
        let mut module = Self {
            file: source.path.clone(),
            named: paths(&rest),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            items: items(&rest),
        };
        let words: BTreeSet<&str> = rest.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for (public, tree) in uses {
            for (path, name) in leaves(&tree) {
                if name == "*" {
                    module.globs.push(path);
                    continue;
                }
                if !public || words.contains(name.as_str()) {
                    module.named.insert(path.clone());
                }
                module.imports.insert(name, path);
            }
        }
        module
    }
}

fn module_path(file: &str) -> ModulePath {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Returns the trees of all `use` statements, each with whether it is a re-export, and the code without them.
fn split_uses(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let statement = line.trim_start();
        let public = statement.starts_with("pub");
        let words = if public { statement.split_once(' ').map_or("", |(_, words)| words) } else { statement };
        let Some(begin) = words.strip_prefix("use ") else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = begin.to_owned();
        while !tree.contains(';') {
            let Some(line) = lines.next() else { break };
            tree.push_str(line);
        }
        uses.push((public, tree.split(';').next().unwrap_or_default().to_owned()));
    }
    (uses, rest)
}

/// Returns the paths of a tree such as `a::{b, c as d, e::{self, *}}`, each with its name in this file.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((prefix, group)) = tree.split_once('{') {
        let group = group.strip_suffix('}').unwrap_or(group);
        let prefix: Vec<String> =
            prefix.split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let mut found = Vec::new();
        for part in split_group(group) {
            for (path, name) in leaves(part) {
                let path: Vec<String> = prefix.iter().cloned().chain(path).collect();
                let own = if path.last().is_some_and(|last| last == "self") {
                    &path[..path.len() - 1]
                } else {
                    &path[..]
                };
                let name = if name == "self" { own.last().cloned().unwrap_or_default() } else { name };
                found.push((own.to_vec(), name));
            }
        }
        return found;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
    let mut path: Vec<String> =
        path.split("::").map(|part| part.trim().to_owned()).filter(|s| !s.is_empty()).collect();
    let Some(last) = path.last().cloned() else { return Vec::new() };
    if last == "*" {
        path.pop();
    }
    vec![(path, alias.map_or(last, |alias| alias.trim().to_owned()))]
}

/// Splits at the commas outside of inner groups.
fn split_group(group: &str) -> Vec<&str> {
    let mut inside = 0;
    group
        .split(|c| {
            match c {
                '{' => inside += 1,
                '}' => inside -= 1,
                _ => {}
            }
            c == ',' && inside == 0
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}

fn items(code: &str) -> BTreeSet<String> {
    const KEYWORDS: [&str; 9] = ["struct", "enum", "trait", "type", "fn", "const", "static", "union", "mod"];
    let mut found = BTreeSet::new();
    let mut words =
        code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '!').filter(|w| !w.is_empty());
    let mut before = words.next().unwrap_or_default();
    for word in words {
        if KEYWORDS.contains(&before) || before == "macro_rules!" {
            found.insert(word.to_owned());
        }
        before = word;
    }
    // `mod name;` is another file.
    for line in code.lines() {
        if let Some(name) = line.trim_end().strip_suffix(';').and_then(|line| line.split("mod ").nth(1)) {
            found.remove(name.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let graph = Crate::new(&sources).graph();
        graph.iter().flat_map(|(from, to)| to.keys().map(|to| (from.clone(), to.clone()))).collect()
    }

    #[test]
    fn a_path_leads_to_the_file_that_defines_its_item() {
        let lib = ("lib.rs", "pub mod a;\npub mod b;");
        let table = [
            ("use crate::b::Item;", "b/mod.rs", "pub struct Item;"),
            ("use crate::b::{c::{self, Deep}, Item};", "b/mod.rs", "pub struct Item;"),
            ("fn f() { crate::b::f() }", "b/mod.rs", "pub fn f() {}"),
            ("use super::b;\nfn f() -> b::Item { todo() }", "b/mod.rs", "pub struct Item;"),
            ("use super::b as other;\nfn f() -> other::Item { todo() }", "b/mod.rs", "pub struct Item;"),
            ("use crate::b::Deep;", "b/c.rs", "mod c;\npub use c::Deep;"),
            ("use crate::b::Deep;", "b/c.rs", "mod c;\npub use self::c::*;"),
            ("use crate::b::Deep as D;", "b/c.rs", "mod c;\npub use c::{\n    Deep,\n};"),
            ("use crate::{b::c};\nfn f(_: c::Deep) {}", "b/c.rs", "pub mod c;"),
        ];
        for (code, to, b) in table {
            let found = edges(&[lib, ("a.rs", code), ("b/mod.rs", b), ("b/c.rs", "pub struct Deep;")]);
            assert!(found.contains(&("a.rs".to_owned(), to.to_owned())), "{code}: {found:?}");
        }
    }

    #[test]
    fn parts_re_exports_and_tests_import_nothing() {
        let table =
            ["mod c;\npub use c::Deep;", "mod c;\n#[cfg(test)]\nmod tests {\n    use super::c::Deep;\n}"];
        for b in table {
            let found = edges(&[("lib.rs", "mod b;"), ("b/mod.rs", b), ("b/c.rs", "pub struct Deep;")]);
            assert!(found.is_empty(), "{b}: {found:?}");
        }
        let elsewhere = ("a.rs", "pub use crate::b::c::Deep;\nfn f(_: Deep) {}");
        let found = edges(&[
            ("lib.rs", "mod a;"),
            ("b/mod.rs", "pub mod c;"),
            ("b/c.rs", "pub struct Deep;"),
            elsewhere,
        ]);
        assert_eq!(found.len(), 1, "a re-export that the file uses is an import: {found:?}");
        let idle = ("a.rs", "pub use crate::b::c::Deep;");
        let found =
            edges(&[("lib.rs", "mod a;"), ("b/mod.rs", "pub mod c;"), ("b/c.rs", "pub struct Deep;"), idle]);
        assert!(found.is_empty(), "{found:?}");
    }
}
