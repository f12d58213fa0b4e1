//! Processes end without the exit handlers of libraries, under which a thread that connects to Postgres would
//! abort.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::Server;

/// Builds a library whose exit handler aborts the process.
fn aborting_library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("tripwire.c"), folder.join("tripwire.so"));
    let text = "#include <stdlib.h>\n__attribute__((destructor)) static void end(void) { abort(); }\n";
    std::fs::write(&source, text).expect("write the source");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(made.expect("run cc").success());
    library
}

#[test]
fn process_exits_without_exit_handlers_of_libraries() {
    let folder = TempDir::with_prefix("strongroom-exit-").expect("make a folder");
    let library = aborting_library(folder.path());
    let other = Command::new("true").env("LD_PRELOAD", &library).status().expect("run true");
    assert_eq!(other.signal(), Some(libc::SIGABRT), "others are aborted");
    let server = Server::builder().set("LD_PRELOAD", library.display()).start();
    let org = server.system().org;
    let listed = server.cli(["org", "list", "--json"]).exits(0).json();
    assert!(listed.to_string().contains(&org), "the output is complete: {listed}");
    server.cli(["system", "show", "nobody"]).exits(1);
    server.cli(["audit", "--store"]).exits(0);
    assert_eq!(server.stop_gracefully().code(), Some(0));
}
