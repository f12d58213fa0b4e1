//! `script/lib/separate-debug.sh`, which `script/build` applies to the program.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{common, compile, output, run};

const SOURCE: &str = "#[inline(never)]
fn function_that_panics(count: usize) {
    assert!(count > 5, \"too few\");
}
fn main() {
    function_that_panics(std::env::args().count());
}
";

fn separate(program: &Path) {
    run(Command::new(common::repository().join("script/lib/separate-debug.sh")).arg(program));
}

fn backtrace(program: &Path) -> String {
    let panicked = output(Command::new(program).env("RUST_BACKTRACE", "1"));
    assert_eq!(panicked.status.code(), Some(101), "{panicked:?}");
    String::from_utf8(panicked.stderr).expect("text")
}

#[test]
fn backtraces_have_names_without_the_debug_file_and_lines_with_it() {
    let folder = TempDir::with_prefix("strongroom-debug-").expect("make a folder");
    let (source, program) = (folder.path().join("main.rs"), folder.path().join("program"));
    std::fs::write(&source, SOURCE).expect("write the source");
    compile(&source, &program, &["-C", "debuginfo=line-tables-only"]);
    let size = || std::fs::metadata(&program).expect("the program").len();
    let size_before = size();
    let kept = folder.path().join("kept");
    std::fs::hard_link(&program, &kept).expect("a link, as cargo makes one");

    separate(&program);
    assert!(size() < size_before / 2, "{} of {size_before} bytes", size());
    assert_eq!(std::fs::metadata(&kept).expect("the link").len(), size_before, "cargo's own file");
    let with_file = backtrace(&program);
    assert!(with_file.contains("main.rs:6"), "{with_file}");
    let symbols = run(Command::new("nm").arg(&program));
    let symbol = symbols.lines().find(|line| line.contains("function_that_panics")).expect("its symbol");
    let address = symbol.split_whitespace().next().expect("an address");
    let line = run(Command::new("addr2line").arg("-e").arg(&program).arg(address));
    assert!(line.contains("main.rs:2"), "{line}");

    // Again, and after cargo has put its own file back.
    separate(&program);
    std::fs::remove_file(&program).expect("remove it");
    std::fs::hard_link(&kept, &program).expect("a link");
    separate(&program);
    assert!(size() < size_before / 2);
    assert!(backtrace(&program).contains("main.rs:6"));

    std::fs::remove_file(folder.path().join("program.debug")).expect("remove it");
    let without = backtrace(&program);
    assert!(without.contains("function_that_panics") && !without.contains("main.rs:6"), "{without}");
}
