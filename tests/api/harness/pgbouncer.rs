//! A real pgbouncer in front of the tests' Postgres.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;

use super::cluster::{folder_for_postgres, prefixed};
use super::{Database, TIMEOUT, assert_eventually, os};

pub struct PgBouncer {
    /// The folder with its configuration and its socket.
    folder: PathBuf,
    /// The folder of Postgres' socket, and the user that pgbouncer connects as.
    upstream: String,
    database: String,
    child: Mutex<Option<Child>>,
}

impl PgBouncer {
    /// Prepares a pooler; `run` starts it.
    pub fn before(database: &Database) -> Self {
        let upstream = database.one(
            "SELECT format('host=%s port=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                 current_setting('port'), current_user)",
        );
        let name = database.one("SELECT current_database()");
        Self { folder: folder_for_postgres(), upstream, database: name, child: Mutex::default() }
    }

    /// Starts pgbouncer with these settings, or restarts it.
    pub fn run(&self, settings: &str) {
        self.stop();
        let folder = self.folder.display();
        let config = format!(
            "[databases]\n* = {}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}\n\
             auth_type = any\nserver_login_retry = 1\n{settings}\n",
            self.upstream
        );
        let file = self.folder.join("pgbouncer.ini");
        let mut write = prefixed(&["sh", "-c", "printf %s \"$1\" > \"$2\"", "sh", &config]);
        assert!(write.arg(&file).status().expect("run sh").success());
        let mut command = prefixed(&["setpriv", "--pdeathsig", "TERM", "pgbouncer", "-q"]);
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        // Debian installs it in a folder that only root has in its PATH.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin"));
        *self.child.lock().expect("nobody panicked") = Some(command.spawn().expect("start pgbouncer"));
        let socket = self.folder.join(".s.PGSQL.6432");
        assert_eventually("pgbouncer listens", TIMEOUT, || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    pub fn stop(&self) {
        if let Some(mut child) = self.child.lock().expect("nobody panicked").take() {
            os::signal(child.id(), libc::SIGTERM);
            let _ = child.wait();
        }
    }

    /// The service's `DATABASE_URL`.
    pub fn url(&self) -> String {
        format!("postgres:///{}?host={}&port=6432&user=anybody", self.database, self.folder.display())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.stop();
        let _ = prefixed(&["rm", "-rf"]).arg(&self.folder).status();
    }
}
