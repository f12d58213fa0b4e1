//! No file imports itself through others: the imports between the files of `src` have no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::imports::{Crate, Graph};
use crate::source::{Source, assert_known};

/// Known circles that will be removed, each with its files in order.
const KNOWN: &[&str] = &[];

/// Returns the groups of files that import each other, directly or through others.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|file| (file, reach(graph, file))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (file, targets) in &reached {
        if !targets.contains(file) || found.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let mutual = targets.iter().filter(|&&to| reached.get(to).is_some_and(|back| back.contains(*file)));
        found.push(mutual.map(|to| (*to).clone()).collect());
    }
    found
}

fn reach<'a>(graph: &'a Graph, from: &String) -> BTreeSet<&'a String> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&String> = graph.get(from).into_iter().flat_map(BTreeMap::keys).collect();
    while let Some(file) = next.pop() {
        if seen.insert(file) {
            next.extend(graph.get(file).into_iter().flat_map(BTreeMap::keys));
        }
    }
    seen
}

/// Returns the imports inside a circle, each with the names that cause it.
fn edges(graph: &Graph, circle: &BTreeSet<String>) -> String {
    let mut lines = String::new();
    for from in circle {
        for (to, names) in graph.get(from).into_iter().flatten().filter(|(to, _)| circle.contains(*to)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = writeln!(lines, "  {from} -> {to}: {}", names.join(", "));
        }
    }
    lines
}

#[test]
fn files_import_each_other_in_one_direction() {
    let graph = Crate::new(&Source::all()).graph();
    assert!(graph.len() > 50, "imports are found");
    let circles = circles(&graph);
    let found: BTreeSet<String> =
        circles.iter().map(|circle| circle.iter().cloned().collect::<Vec<_>>().join(" ")).collect();
    for (circle, line) in circles.iter().zip(&found) {
        if !KNOWN.contains(&line.as_str()) {
            println!("a circle of {} files:\n{}", circle.len(), edges(&graph, circle));
        }
    }
    assert_known(&found, KNOWN, "files that import each other");
}

#[test]
fn circles_of_files_are_found() {
    let lib = ("lib.rs", "mod a; mod b; mod c;");
    let table = [
        (vec![("a.rs", "use crate::b::B;\npub struct A;"), ("b.rs", "use super::a::A;\npub struct B;")], 2),
        (
            vec![
                ("a.rs", "pub fn a() { crate::b::b() }"),
                ("b.rs", "use crate::c;\npub fn b() { c::c() }"),
                ("c.rs", "use crate::a;\npub fn c() { a::a() }"),
            ],
            3,
        ),
        (vec![("a.rs", "use crate::b::B;\npub struct A;"), ("b.rs", "pub struct B;")], 0),
    ];
    for (files, size) in table {
        let sources: Vec<Source> =
            files.iter().chain([&lib]).map(|(path, text)| Source::new(path, text)).collect();
        let found = circles(&Crate::new(&sources).graph());
        assert_eq!(found.first().map_or(0, BTreeSet::len), size, "{files:?}: {found:?}");
    }
}
