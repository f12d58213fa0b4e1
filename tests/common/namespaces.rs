//! Namespaces for tests that mount file systems, or must not be root.
//!
//! A machine may permit none of them, as most containers do. Such a test is skipped, and `script/test` names it at its end;
//! without `script/test`, where nobody would see that, it fails.

use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;

/// The beginning of a command line that runs a program in another way.
pub type Way = &'static [&'static str];

/// For a program with mounts of its own: as root; as any user; as root in a chroot.
const OWN_MOUNTS: [Way; 3] =
    [&["unshare", "--mount"], &["unshare", "--user", "--map-root-user", "--mount"], VISIBLE_OUTSIDE];
/// In a chroot `/` is usually no mount point, so that its propagation can't be changed. What is mounted may be seen outside, where
/// it has to be unmounted, too.
const VISIBLE_OUTSIDE: Way = &["unshare", "--mount", "--propagation", "unchanged"];
/// For a program that is not root; a chroot has no user namespaces.
const ORDINARY_USER: [Way; 2] = [
    &["unshare", "--user", "--map-user=1000", "--map-group=1000"],
    &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
];

/// Returns how to run a program with mounts of its own; `None` if this machine does not permit it.
pub fn own_mounts() -> Option<Way> {
    static WAY: OnceLock<Option<Way>> = OnceLock::new();
    *WAY.get_or_init(|| {
        let folder = tempfile::TempDir::new().expect("make a folder");
        let folder = folder.path().to_str().expect("text");
        let probe = r#"mount -t tmpfs tmpfs "$0" && umount "$0""#;
        OWN_MOUNTS.into_iter().find(|way| works(way, &["sh", "-c", probe, folder]))
    })
}

/// Returns how to run this test's own program as an ordinary user, who has to have access to it.
pub fn ordinary_user() -> Option<Way> {
    let program = std::env::current_exe().expect("this program");
    let program = program.to_str().expect("text");
    ORDINARY_USER.into_iter().find(|way| works(way, &[program, "--list"]))
}

fn works(way: Way, probe: &[&str]) -> bool {
    let output = Command::new(way[0]).args(&way[1..]).args(probe).output();
    output.unwrap_or_else(|error| panic!("{} is needed for this test: {error}", way[0])).status.success()
}

/// Whether what is mounted in this way has to be unmounted outside, too.
pub fn is_visible_outside(way: Way) -> bool {
    way == VISIBLE_OUTSIDE
}

/// Notes for the end of `script/test` that a test is skipped, and what it needs.
pub fn skip(test: &str, needs: &str) {
    let Some(path) = std::env::var_os("STRONGROOM_TEST_SKIPPED") else {
        panic!("{test} needs {needs}, which this machine does not permit (script/test would skip it)");
    };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    // One write: tests of several processes do this at the same time.
    file.and_then(|mut file| file.write_all(format!("{needs}\t{test}\n").as_bytes()))
        .expect("note the skipped test");
}
