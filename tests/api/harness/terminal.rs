//! A terminal with an answer typed in.

#![expect(unsafe_code, reason = "pseudo terminals that std does not have")]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::Command;

use super::{Output, run};

/// Runs the command with a terminal as its standard input, which holds this answer.
#[track_caller]
pub fn run_at_terminal(command: &mut Command, answer: &str) -> Output {
    let (mut keyboard, terminal) = open();
    keyboard.write_all(format!("{answer}\n").as_bytes()).expect("type the answer");
    command.stdin(terminal);
    run(command)
}

fn open() -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: the first two pointers are to our integers, and the others may be null.
    let done = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        )
    };
    assert_eq!(done, 0, "open a terminal: {}", std::io::Error::last_os_error());
    // SAFETY: both descriptors were just opened, and nothing else owns them.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}
