//! A machine with the appliance's agent installed (`deploy/appliance/strongroom-agent`), run in the system's own
//! shell with real `tar`, `gpg` and `curl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::os::signal;
use super::{Server, System, TIMEOUT, assert_eventually, bytes, eventually};

/// A machine with a configuration to back up, the agent, and its settings.
pub struct Appliance {
    home: tempfile::TempDir,
}

pub struct Said {
    pub code: i32,
    pub text: String,
}

impl Said {
    #[track_caller]
    pub fn done(self, words: &str) -> Self {
        self.exits(0, words)
    }

    #[track_caller]
    pub fn exits(self, code: i32, words: &str) -> Self {
        assert_eq!(self.code, code, "{}", self.text);
        assert!(self.text.contains(words), "no {words:?} in: {}", self.text);
        self
    }
}

impl Appliance {
    pub fn of(server: &Server, system: &System) -> Self {
        let home = tempfile::TempDir::with_prefix("strongroom-agent-").expect("make a folder");
        let this = Self { home };
        fs::create_dir_all(this.path("etc/network")).expect("folders");
        fs::write(this.path("etc/network/interfaces"), "lan 192.0.2.1/24\n").expect("a configuration");
        fs::write(this.path("etc/large"), bytes(300_000)).expect("a configuration");
        fs::write(this.path("etc/skipped.swp"), "not this").expect("a file");
        fs::write(this.path("passphrase"), "correct horse battery staple\n").expect("a passphrase");
        this.give(&format!("user = \"{}:{}\"\n", system.key, system.secret));
        this.configure(server, "PASSPHRASE_FILE", "passphrase");
        this
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn give(&self, credential: &str) {
        fs::write(self.path("credential"), credential).expect("write the credential");
    }

    pub fn configure(&self, server: &Server, encryption: &str, file: &str) {
        let home = self.home.path().display();
        let text = format!(
            "URL={}/\nCREDENTIAL={home}/credential\nPATHS='{home}/etc'\nEXCLUDE='*.swp'\nSTATE={home}/state\n\
             {encryption}={home}/{file}\nATTEMPTS=3\n",
            server.url("")
        );
        fs::write(self.path("agent.conf"), text).expect("write the configuration");
    }

    /// Adds lines to its settings; of repeated settings the last one counts.
    pub fn set(&self, lines: &str) {
        let file = self.path("agent.conf");
        let text = fs::read_to_string(&file).expect("the configuration");
        fs::write(file, format!("{text}{lines}\n")).expect("write the configuration");
    }

    /// Installs a program of the test that the agent finds before the system's. Another process writes the file:
    /// a file that this process has open for writing cannot be executed while a child of another test still has
    /// it open, too.
    pub fn tool(&self, name: &str, script: &str) {
        let draft = self.path(name);
        fs::write(&draft, script).expect("write a script");
        fs::create_dir_all(self.path("bin")).expect("a folder");
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(draft).arg(self.path("bin").join(name));
        assert!(install.status().expect("run install").success());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let script = crate::common::repository().join("deploy/appliance/strongroom-agent");
        let mut command = Command::new(script);
        command.arg("-c").arg(self.path("agent.conf")).args(arguments);
        let path = std::env::var("PATH").expect("a path");
        command.env_clear().env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("GNUPGHOME", self.path("gnupg")).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let done = self.command(arguments).output().expect("run the agent");
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        Said { code: done.status.code().unwrap_or(-1), text }
    }

    /// Starts the agent in the background; its output goes to a file.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let log = self.path("log");
        let file = fs::File::create(&log).expect("a log");
        let child =
            self.command(arguments).stdout(Stdio::null()).stderr(file).spawn().expect("run the agent");
        Running { child, log }
    }

    pub fn change(&self, text: &str) {
        fs::write(self.path("etc/network/interfaces"), text).expect("a configuration");
    }

    /// Checks that `restore` has unpacked the present configuration below `to`.
    #[track_caller]
    pub fn is_restored_in(&self, to: &str) {
        let home = self.home.path().strip_prefix("/").expect("absolute");
        let there = self.path(to).join(home).join("etc");
        for file in ["network/interfaces", "large"] {
            let (new, old) = (fs::read(there.join(file)), fs::read(self.path("etc").join(file)));
            assert_eq!(new.expect(file), old.expect(file));
        }
        assert!(!there.join("skipped.swp").exists());
    }

    #[track_caller]
    pub fn left_nothing_behind(&self) {
        let left: Vec<_> = fs::read_dir(self.path("state"))
            .expect("its state")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .filter(|name| name != "last" && name != "lock")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn says(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|log| log.contains(words))
    }

    /// Whether its curl holds a long poll.
    pub fn is_polling(&self) -> bool {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().any(|child| {
            fs::read_to_string(format!("/proc/{child}/cmdline")).is_ok_and(|line| line.contains("wait=55"))
        })
    }

    /// Stops it as systemd does.
    pub fn terminate(&self) {
        signal(self.child.id(), libc::SIGTERM);
    }

    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        let mut code = None;
        assert_eventually("the agent ends", TIMEOUT * 3, || {
            code = self.child.try_wait().expect("wait").map(|status| status.code().unwrap_or(-1));
            code.is_some()
        });
        code.unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.child.id(), libc::SIGTERM);
            // A shell in the middle of a command does not receive the signal.
            if !eventually(TIMEOUT, || self.child.try_wait().is_ok_and(|ended| ended.is_some())) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}
