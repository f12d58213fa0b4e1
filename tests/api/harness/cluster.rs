//! A Postgres cluster of a test's own, which can be stopped and started, and can have a standby that takes over.
//!
//! `script/test` names the folder of Postgres' programs and the command that runs them: they refuse to run as
//! root.
//!
//! `script/test` says where Postgres' programs are and how they are run: they refuse to work for root.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::{Database, TIMEOUT, assert_eventually, os, run};

const PROGRAMS: &str = "STRONGROOM_TEST_POSTGRES_PROGRAMS";
const RUN: &str = "STRONGROOM_TEST_POSTGRES_RUN";

pub struct Cluster {
    /// The folder with its data and its socket.
    folder: PathBuf,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// Starts a cluster. `None`, with a message, if the folder of Postgres' programs is not known.
    pub fn start_new() -> Option<Self> {
        if std::env::var_os(PROGRAMS).is_none() {
            println!("skipped: {PROGRAMS} is not set (script/test sets it)");
            return None;
        }
        let cluster = Self::somewhere();
        cluster.run("initdb", &["--no-sync", "-U", "strongroom", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        cluster.start();
        Some(cluster)
    }

    /// Starts a replica that follows this cluster.
    pub fn start_standby(&self) -> Self {
        let standby = Self::somewhere();
        let source = self.url();
        standby.run("pg_basebackup", &["--no-sync", "-R", "-c", "fast", "-X", "stream", "-d", &source]);
        standby.start();
        standby
    }

    /// From now on a commit is answered when the standby has received it, too.
    pub fn wait_for_standby(&self) {
        let database = Database::at(&self.url());
        database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        database.execute("SELECT pg_reload_conf()");
        assert_eventually("commits wait for the standby", TIMEOUT, || {
            database.holds("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
        });
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        Database::at(&self.url()).execute("SELECT pg_promote()");
    }

    /// Starts Postgres and waits until it answers.
    pub fn start(&self) {
        let mut command = prefixed(&["setpriv", "--pdeathsig", "QUIT", &program("postgres")]);
        command.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        // The data need not survive a power failure.
        for setting in ["listen_addresses=", "fsync=off", "max_connections=100", "shared_buffers=32MB"] {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        *self.lock() = Some(command.spawn().expect("start Postgres"));
        assert_eventually("Postgres answers", TIMEOUT, || Database::at(&self.url()).answers());
    }

    /// Stops Postgres as `pg_ctl stop -m immediate` does: it writes nothing more.
    pub fn die(&self) {
        if let Some(mut server) = self.lock().take() {
            os::signal(server.id(), libc::SIGQUIT);
            let _ = server.wait();
        }
    }

    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=strongroom", self.folder.display())
    }

    /// Returns the path of its socket.
    pub fn socket(&self) -> String {
        self.folder.join(".s.PGSQL.5432").display().to_string()
    }

    /// Returns the folder of its socket, as `host` of a connection string.
    pub fn host(&self) -> String {
        self.folder.display().to_string()
    }

    /// Lets other accounts reach the socket. A session without a named role is for the account of its process.
    pub fn open_to_other_accounts(&self) {
        run(prefixed(&["chmod", "755"]).arg(&self.folder)).exits(0);
    }

    /// From now on no commit is answered: each waits for a standby that does not exist.
    pub fn block_commits(&self) {
        self.set_standby("nobody");
    }

    /// Ends `block_commits`, and the waits of commits.
    pub fn unblock_commits(&self) {
        self.set_standby("");
    }

    fn set_standby(&self, name: &str) {
        let database = Database::at(&self.url());
        database.execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        database.execute("SELECT pg_reload_conf()");
        assert_eventually("Postgres has read the setting", TIMEOUT, || {
            database.one("SELECT current_setting('synchronous_standby_names')") == name
        });
    }

    fn somewhere() -> Self {
        Self { folder: folder_for_postgres(), server: Mutex::default() }
    }

    fn run(&self, name: &str, arguments: &[&str]) {
        run(prefixed(&[&program(name), "-D"]).arg(self.folder.join("data")).args(arguments)).exits(0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.die();
        let _ = prefixed(&["rm", "-rf"]).arg(&self.folder).status();
    }
}

fn program(name: &str) -> String {
    format!("{}/{name}", std::env::var(PROGRAMS).expect("checked before"))
}

/// Returns a folder of the account that Postgres runs as; its name is short enough for a socket's path.
pub(super) fn folder_for_postgres() -> PathBuf {
    run(&mut prefixed(&["mktemp", "-d", "/tmp/strongroom-pg-XXXXXX"])).exits(0).stdout.trim().into()
}

/// Returns a command that runs as Postgres' account.
pub(super) fn prefixed(words: &[&str]) -> Command {
    let prefix = std::env::var(RUN).unwrap_or_default();
    let mut all = prefix.split_whitespace().chain(words.iter().copied());
    let mut command = Command::new(all.next().expect("a command"));
    command.args(all);
    command
}
