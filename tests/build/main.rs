//! What a build leaves behind: the commit in the program (`build.rs`), its debug information (`script/build`), and the
//! libraries that it needs.

#![expect(clippy::expect_used, reason = "a test that does not get what it needs ends there")]

#[path = "../common/mod.rs"]
mod common;

mod commit;
mod debug_information;
mod libraries;

use std::path::Path;
use std::process::{Command, Output};

/// Runs a command, and returns what it prints on standard output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Compiles one file with the compiler that has compiled this test.
#[track_caller]
fn compile(source: &Path, program: &Path, options: &[&str]) {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    run(rustc.args(["--edition", "2024", "-o"]).arg(program).args(options).arg(source));
}
