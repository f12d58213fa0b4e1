//! The shared libraries that the program needs: docs/install.md names the packages that have them.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{common, run};

/// Returns the libraries in the first column of the guide's table.
fn named() -> BTreeSet<String> {
    let guide = std::fs::read_to_string(common::repository().join("docs/install.md")).expect("the guide");
    let rows =
        guide.lines().filter(|line| line.starts_with("| `lib")).filter_map(|line| line.split('|').nth(1));
    let libraries: BTreeSet<_> =
        rows.flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`').to_owned()).collect();
    assert!(libraries.len() > 3, "{libraries:?}");
    libraries
}

#[test]
fn guide_names_the_libraries_that_the_program_needs() {
    let program = env!("CARGO_BIN_EXE_strongroom");
    let dynamic = run(Command::new("readelf").args(["--dynamic", "--wide", program]));
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    let needed = needed.filter_map(|line| line.split_once('[')?.1.strip_suffix(']')).map(str::to_owned);
    // The loader, which each architecture calls otherwise, is in the package of the C library.
    let needed: BTreeSet<_> = needed.filter(|name| !name.starts_with("ld-linux")).collect();
    let mut named = named();
    if cfg!(feature = "bundled-libpq") {
        assert!(named.remove("libpq.so.5"));
    }
    assert_eq!(needed, named, "docs/install.md");
}
