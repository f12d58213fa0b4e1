//! A Postgres cluster of a test's own, that can die, come back, and have a standby that takes over.
//!
//! `script/test` says where Postgres' programs are and how they are run: they refuse to work for root.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::{Database, TIMEOUT, assert_eventually, os, run};

const PROGRAMS: &str = "STRONGROOM_TEST_POSTGRES_PROGRAMS";
const RUN: &str = "STRONGROOM_TEST_POSTGRES_RUN";

pub struct Cluster {
    /// Its data, and its socket.
    folder: PathBuf,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// A running one; `None`, with a word about it, where nobody has said how.
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

    /// A running copy that follows this one.
    pub fn start_standby(&self) -> Self {
        let standby = Self::somewhere();
        let source = self.url();
        standby.run("pg_basebackup", &["--no-sync", "-R", "-c", "fast", "-X", "stream", "-d", &source]);
        standby.start();
        standby
    }

    /// From now on a commit is answered when the standby has it, too.
    pub fn wait_for_standby(&self) {
        let database = Database::at(&self.url());
        database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        database.execute("SELECT pg_reload_conf()");
        assert_eventually("the standby is waited for", TIMEOUT, || {
            database.holds("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
        });
    }

    /// Makes a standby a cluster of its own.
    pub fn promote(&self) {
        Database::at(&self.url()).execute("SELECT pg_promote()");
    }

    /// Starts it and waits until it answers.
    pub fn start(&self) {
        let mut command = prefixed(&["setpriv", "--pdeathsig", "QUIT", &program("postgres")]);
        command.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        // Nothing has to survive a power cut.
        for setting in ["listen_addresses=", "fsync=off", "max_connections=100", "shared_buffers=32MB"] {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        *self.lock() = Some(command.spawn().expect("start Postgres"));
        assert_eventually("Postgres answers", TIMEOUT, || Database::at(&self.url()).answers());
    }

    /// Stops it at once, as `pg_ctl stop -m immediate` does: nothing is written any more.
    pub fn die(&self) {
        if let Some(mut server) = self.lock().take() {
            os::signal(server.id(), libc::SIGQUIT);
            let _ = server.wait();
        }
    }

    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=strongroom", self.folder.display())
    }

    /// Where it listens.
    pub fn socket(&self) -> String {
        self.folder.join(".s.PGSQL.5432").display().to_string()
    }

    /// Where its socket is: what `host` of a connection string may name.
    pub fn host(&self) -> String {
        self.folder.display().to_string()
    }

    /// A service without a commit: each waits for a standby that is not there.
    pub fn wait_for_nobody(&self) {
        self.set_standby("nobody");
    }

    /// The end of `wait_for_nobody`: whoever waits is let go.
    pub fn wait_no_more(&self) {
        self.set_standby("");
    }

    fn set_standby(&self, name: &str) {
        let database = Database::at(&self.url());
        database.execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        database.execute("SELECT pg_reload_conf()");
        assert_eventually("Postgres has read it", TIMEOUT, || {
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
    format!("{}/{name}", std::env::var(PROGRAMS).expect("looked at before"))
}

/// A folder of the account that Postgres runs as, with a name that is short enough for a socket's path.
pub(super) fn folder_for_postgres() -> PathBuf {
    run(&mut prefixed(&["mktemp", "-d", "/tmp/strongroom-pg-XXXXXX"])).exits(0).stdout.trim().into()
}

/// A command as the account that Postgres runs as.
pub(super) fn prefixed(words: &[&str]) -> Command {
    let prefix = std::env::var(RUN).unwrap_or_default();
    let mut all = prefix.split_whitespace().chain(words.iter().copied());
    let mut command = Command::new(all.next().expect("a command"));
    command.args(all);
    command
}
