//! The operating system's view of a running server: memory, descriptors, mounts.

use std::path::PathBuf;
use std::process::Command;

use crate::common::namespaces;

use super::{Server, os};

impl Server {
    /// Returns the resident memory, in KiB.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// Lets the process open no further descriptor; returns the limit before.
    pub fn run_out_of_descriptors(&self) -> u64 {
        let fds = PathBuf::from(format!("/proc/{}/fd", self.pid()));
        // The limit is on numbers, and the lowest free one is the next. A limit below the descriptors in use
        // would make `poll` fail, too.
        let free = (0..=u64::MAX).find(|fd| fds.join(fd.to_string()).symlink_metadata().is_err());
        self.limit_descriptors(free.expect("a number that is free"))
    }

    /// Limits the process's descriptors; returns the limit before.
    pub fn limit_descriptors(&self, most: u64) -> u64 {
        os::limit_descriptors(self.pid(), most)
    }

    /// Mounts the server's own disk again with these options (`ro`): the mount and not the file system, which
    /// does not need root either. In a chroot the path is one below its root.
    pub fn remount(&self, options: &str) {
        let pid = self.pid().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid, "--mount", "--root"]);
        if namespaces::own_mounts().is_some_and(|way| way.contains(&"--user")) {
            command.args(["--user", "--preserve-credentials"]);
        }
        let done = command
            .args(["mount", "-o", &format!("remount,bind,{options}")])
            .arg(self.store.path())
            .output()
            .expect("these tests need nsenter");
        assert!(done.status.success(), "remount {options}: {}", String::from_utf8_lossy(&done.stderr));
    }

    #[track_caller]
    pub fn has_not_panicked(&self) {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("panicked"));
        assert!(line.is_none(), "it panicked: {line:?}");
    }
}
