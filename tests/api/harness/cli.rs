//! The real command line, run as an operator would.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use super::{Server, TIMEOUT, eventually, os, unique};

/// An appliance as `system add` created it.
#[derive(Clone, Debug)]
pub struct System {
    pub id: String,
    pub key: String,
    pub secret: String,
    pub org: String,
}

/// The result of a command.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Returns the only JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not JSON ({e}): {self:?}"))
    }

    #[track_caller]
    pub fn says(&self, word: &str) {
        assert!(self.stdout.contains(word), "no {word:?} on stdout: {self:?}");
    }
}

/// Returns `strongroom` with only those environment variables that a process needs.
pub fn plain_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    clean(&mut command);
    command
}

/// Removes every setting that the tests' own environment may have.
pub fn clean(command: &mut Command) {
    command.env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Runs the command to its end; kills it after a timeout and fails the test.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    os::die_with_parent(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let out = read_aside(child.stdout.take().expect("piped"));
    let err = read_aside(child.stderr.take().expect("piped"));
    let ended = eventually(TIMEOUT * 3, || child.try_wait().expect("wait for a child").is_some());
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().expect("wait for a child");
    let (stdout, stderr) = (out.join().expect("reader"), err.join().expect("reader"));
    assert!(ended, "does not end: {command:?}\nstdout: {stdout}\nstderr: {stderr}");
    let code = status.code().unwrap_or_else(|| panic!("killed ({status}): {command:?}\nstderr: {stderr}"));
    Output { code, stdout, stderr }
}

fn read_aside(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Server {
    /// Returns a command line with this server's settings.
    pub fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = plain_command();
        command.args(arguments).envs(self.settings());
        command
    }

    /// Runs a command with this server's database and store.
    #[track_caller]
    pub fn cli<const N: usize>(&self, arguments: [&str; N]) -> Output {
        run(&mut self.command(arguments))
    }

    #[track_caller]
    pub fn add_org(&self, id: &str, quota: Option<u64>) {
        let mut command = self.command(["org", "add", id, "--name", "A tenant"]);
        if let Some(quota) = quota {
            command.args(["--quota", &quota.to_string()]);
        }
        run(&mut command).exits(0);
    }

    #[track_caller]
    pub fn add_system(&self, org: &str, name: &str) -> System {
        let added = self.cli(["system", "add", "--org", org, "--name", name, "--json"]).exits(0).json();
        let text = |key: &str| added[key].as_str().unwrap_or_else(|| panic!("no {key}: {added}")).to_owned();
        System { id: text("id"), key: text("system_key"), secret: text("system_secret"), org: text("org_id") }
    }

    /// Adds this many systems to one organization.
    #[track_caller]
    pub fn add_systems(&self, org: &str, count: usize) -> Vec<System> {
        let add = |first: usize| {
            (first..count).step_by(4).map(|n| self.add_system(org, &format!("fw-{n}"))).collect::<Vec<_>>()
        };
        std::thread::scope(|scope| {
            let some: Vec<_> = (0..4).map(|first| scope.spawn(move || add(first))).collect();
            some.into_iter().flat_map(|thread| thread.join().expect("systems")).collect()
        })
    }

    /// Adds a system in an organization of its own, with a very large quota.
    #[track_caller]
    pub fn system(&self) -> System {
        let number = unique();
        let org = format!("org-{number}");
        self.add_org(&org, None);
        self.add_system(&org, &format!("fw-{number}"))
    }

    /// Adds a system in an organization with this quota.
    #[track_caller]
    pub fn system_with_quota(&self, quota: u64) -> System {
        let number = unique();
        let org = format!("org-{number}");
        self.add_org(&org, Some(quota));
        self.add_system(&org, &format!("fw-{number}"))
    }

    /// Marks a system as being destroyed, as it is while its objects are deleted. Nobody deletes them within the test.
    #[track_caller]
    pub fn mark_destroying(&self, system: &System) {
        self.db.execute(&format!(
            "UPDATE systems SET state = 'destroying' WHERE id = '{0}';
             INSERT INTO system_erasures (system_id, requested_by, backups, bytes, claimed_until)
             VALUES ('{0}', 'operator', 0, 0, now() + interval '1 hour')",
            system.id
        ));
    }

    #[track_caller]
    pub fn audit_is_clean(&self) {
        let audit = self.cli(["audit"]);
        assert_eq!(audit.code, 0, "the totals are wrong\n{}\n{}", audit.stdout, audit.stderr);
    }
}
