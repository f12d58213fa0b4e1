//! Every failpoint has a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn sources(folder: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> = vec![crate::common::repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the checkout").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(entry.path()).expect("a source file"));
            }
        }
    }
    texts
}

#[test]
fn every_failpoint_in_the_source_has_a_test() {
    let mark = "fail_point!(\"";
    let points: BTreeSet<String> = sources("src")
        .iter()
        .flat_map(|text| text.split(mark).skip(1))
        .filter_map(|rest| rest.split('"').next().map(str::to_owned))
        .collect();
    assert!(points.len() > 20, "{points:?}");
    let tests = sources("tests/crash").concat();
    let untested: Vec<_> = points.iter().filter(|point| !tests.contains(point.as_str())).collect();
    assert!(untested.is_empty(), "{untested:?}");
}
