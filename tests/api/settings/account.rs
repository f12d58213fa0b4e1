//! Commands that root runs on an installed machine: the account `strongroom` does the work. The tests have a private `/etc` with
//! the account and the env file, and a Postgres that has no role but the account.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::common::namespaces::{is_visible_outside, own_mounts, skip};
use crate::harness::{Cluster, Output, TIMEOUT, assert_eventually, is_root, run};

/// The id of the account; no system gives it away.
const ACCOUNT: u32 = 64_123;

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

struct Machine {
    folder: TempDir,
    cluster: Cluster,
    port: u16,
}

impl Machine {
    /// `None`, with a note, if this run may not make one.
    fn new(test: &str) -> Option<Self> {
        // A private /etc must not be seen outside.
        let private = is_root() && own_mounts().is_some_and(|way| !is_visible_outside(way));
        if !private {
            skip(test, "root with mounts of its own");
            return None;
        }
        let cluster = Cluster::start_new()?;
        cluster.open_to_other_accounts();
        let folder = TempDir::with_prefix("strongroom-machine-").expect("make a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let machine = Self { folder, cluster, port };
        machine.prepare(&machine.cluster.host());
        Some(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn prepare(&self, host: &str) {
        fs::set_permissions(self.folder.path(), Permissions::from_mode(0o755)).expect("chmod");
        fs::create_dir(self.path("home")).expect("a home");
        chown(self.path("home"), Some(ACCOUNT), Some(ACCOUNT)).expect("chown");
        fs::create_dir(self.path("private")).expect("a folder of root's");
        fs::set_permissions(self.path("private"), Permissions::from_mode(0o700)).expect("chmod");
        // The account may not be able to reach the program where cargo builds it.
        fs::copy(env!("CARGO_BIN_EXE_strongroom"), self.path("strongroom")).expect("copy the program");
        run(Command::new("cp").args(["-a", "/etc"]).arg(self.path("etc"))).exits(0);
        let home = self.path("home");
        self.add(
            "etc/passwd",
            &format!("strongroom:x:{ACCOUNT}:{ACCOUNT}::{}:/usr/sbin/nologin\n", home.display()),
        );
        self.add("etc/group", &format!("strongroom:x:{ACCOUNT}:\n"));
        let settings = format!(
            "DATABASE_URL=postgres:///postgres?host={host}\nBACKUP_DATA_DIR={}\nLISTEN_ADDRESS=127.0.0.1:{}\n\
             MANAGEMENT_LISTEN_ADDRESS=127.0.0.1:0\n",
            home.join("objects").display(),
            self.port
        );
        fs::create_dir_all(self.path("etc/strongroom")).expect("a folder");
        fs::write(self.path("etc/strongroom/strongroom.env"), settings).expect("write the env file");
        fs::set_permissions(self.path("etc/strongroom/strongroom.env"), Permissions::from_mode(0o600))
            .expect("chmod");
    }

    /// Adds a line to a file, without those of the real account.
    fn add(&self, file: &str, line: &str) {
        let text = fs::read_to_string(self.path(file)).expect("read");
        let others =
            text.lines().filter(|line| !line.starts_with("strongroom:")).map(|line| format!("{line}\n"));
        fs::write(self.path(file), others.collect::<String>() + line).expect("write");
    }

    /// Returns a command of root's on this machine, without any setting in its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc && exec "$@""#]);
        command.arg(self.path("etc")).arg(self.path("strongroom")).args(arguments);
        command.env_clear().env("PATH", PATH).env("HOME", "/root");
        command.current_dir(self.path("private")).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments))
    }

    fn serve(&self) -> Service {
        let service = Service(self.command(&["serve"]).stdout(Stdio::null()).spawn().expect("start"));
        let url = format!("http://127.0.0.1:{}/api/health", self.port);
        let healthy = || {
            Command::new("curl").args(["-qsf", "-o", "/dev/null", &url]).status().is_ok_and(|s| s.success())
        };
        assert_eventually("healthy", TIMEOUT * 3, healthy);
        service
    }

    /// Returns the objects in the store.
    fn objects(&self) -> Vec<PathBuf> {
        let found = run(Command::new("find")
            .arg(self.path("home/objects"))
            .args(["-type", "f", "-not", "-path", "*/.*"]));
        found.exits(0).stdout.lines().map(PathBuf::from).collect()
    }

    /// Fails if something in the store does not belong to the account.
    #[track_caller]
    fn store_is_the_accounts(&self) {
        let foreign =
            run(Command::new("find").arg(self.path("home")).args(["-not", "-uid", &ACCOUNT.to_string()]))
                .exits(0);
        assert_eq!(foreign.stdout, "");
    }
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).uid()
}

#[test]
fn root_runs_every_command_as_the_account_of_the_service() {
    let Some(machine) = Machine::new("root_runs_every_command_as_the_account_of_the_service") else { return };
    machine.run(&["migrate"]).exits(0);
    machine.run(&["org", "add", "acme"]).exits(0);
    machine.run(&["org", "list"]).exits(0).says("acme");
    let added = machine.run(&["system", "add", "--org", "acme", "--name", "fw-1", "--json"]).exits(0).json();
    let key = added["system_key"].as_str().expect("a key").to_owned();

    // A file that only root can read.
    let secret = "a-secret-that-only-root-can-read-0123456789";
    let file = machine.path("private/secret");
    fs::write(&file, secret).expect("write");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("chmod");
    machine.run(&["system", "rotate-secret", &key, "--secret-file", "secret"]).exits(0);

    let service = machine.serve();
    let status = fs::read_to_string(format!("/proc/{}/status", service.0.id())).expect("status");
    let ids = format!(
        "Uid:\t{ACCOUNT}\t{ACCOUNT}\t{ACCOUNT}\t{ACCOUNT}\nGid:\t{ACCOUNT}\t{ACCOUNT}\t{ACCOUNT}\t{ACCOUNT}\n"
    );
    assert!(status.contains(&ids), "it cannot be root again: {status}");
    assert!(status.contains(&format!("\nGroups:\t{ACCOUNT} \n")), "no group of root's: {status}");

    let url = format!("http://127.0.0.1:{}/api/systems/backups", machine.port);
    let body = machine.path("private/body");
    fs::write(&body, "a backup").expect("write");
    let user = format!("{key}:{secret}");
    let upload = || {
        let mut curl = Command::new("curl");
        curl.args([
            "-qsS",
            "--fail-with-body",
            "-u",
            &user,
            "-H",
            "Content-Type: application/octet-stream",
            "-T",
        ]);
        let stored = run(curl.arg(&body).args(["-X", "POST", &url])).exits(0).json();
        stored["data"]["id"].as_str().expect("an id").to_owned()
    };
    let (first, second) = (upload(), upload());
    machine.run(&["backup", "list", &key]).exits(0).says(&first);
    machine.store_is_the_accounts();

    machine.run(&["backup", "fetch", &first, "-o", "out"]).exits(0);
    let out = machine.path("private/out");
    assert_eq!((fs::read(&out).expect("fetched"), owner(&out)), (b"a backup".to_vec(), 0));

    let damaged = machine.objects().into_iter().find(|path| path.ends_with(&second)).expect("an object");
    fs::write(&damaged, "A backup").expect("damage it");
    machine.run(&["backup", "fetch", &second, "-o", "damaged"]).exits(1);
    assert!(!machine.path("private/damaged").exists(), "root's command removes what it could not finish");

    machine.run(&["backup", "delete", &first, "--yes"]).exits(0);
    assert!(!machine.objects().iter().any(|path| path.ends_with(&first)));
    for command in
        [&["audit"][..], &["audit", "--store"], &["sweep"], &["system", "list"], &["request", &key]]
    {
        machine.run(command).exits(0);
    }
    machine.run(&["system", "destroy", &key, "--yes"]).exits(0);
    machine.store_is_the_accounts();
}

#[test]
fn secret_files_are_read_as_root_and_other_users_are_told_to_be_root() {
    let Some(machine) = Machine::new("secret_files_are_read_as_root_and_other_users_are_told_to_be_root")
    else {
        return;
    };
    machine.run(&["migrate"]).exits(0);
    let installed = machine.path("etc/strongroom/strongroom.env");
    let text = fs::read_to_string(&installed).expect("read");
    let url = text.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).expect("a URL");
    fs::write(machine.path("private/url"), url).expect("write");
    let file = machine.path("private/url");
    let with_file =
        text.replace(&format!("DATABASE_URL={url}"), &format!("DATABASE_URL_FILE={}", file.display()));
    fs::write(&installed, with_file).expect("write");
    machine.run(&["org", "list"]).exits(0);

    for user in [ACCOUNT, 65_534] {
        let mut other = Command::new("unshare");
        let script = r#"mount --bind "$0" /etc && exec setpriv --reuid "$1" --regid "$1" --clear-groups "$2" org list"#;
        other.args(["--mount", "sh", "-c", script]).arg(machine.path("etc")).arg(user.to_string());
        other
            .arg(machine.path("strongroom"))
            .env_clear()
            .env("PATH", PATH)
            .current_dir("/")
            .stdin(Stdio::null());
        let refused = run(&mut other).exits(2);
        assert!(refused.stderr.contains("sudo strongroom"), "{refused:?}");
    }
}

#[test]
fn installed_file_that_others_than_root_can_change_is_refused() {
    let Some(machine) = Machine::new("installed_file_that_others_than_root_can_change_is_refused") else {
        return;
    };
    machine.run(&["migrate"]).exits(0);
    let installed = machine.path("etc/strongroom/strongroom.env");
    let set = |owner: u32, mode: u32| {
        chown(&installed, Some(owner), Some(ACCOUNT)).expect("chown");
        fs::set_permissions(&installed, Permissions::from_mode(mode)).expect("chmod");
    };
    for (owner, mode) in [(ACCOUNT, 0o600), (0, 0o660), (0, 0o606)] {
        set(owner, mode);
        for command in [&["org", "list"][..], &["serve"]] {
            let refused = machine.run(command).exits(2);
            assert!(refused.stderr.contains("chown root /etc/strongroom/strongroom.env"), "{refused:?}");
        }
    }
    set(0, 0o644);
    machine.run(&["org", "list"]).exits(0);
}
