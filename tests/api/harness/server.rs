//! The real binary, serving, as a process of its own.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{
    Certificate, Database, PostgresLink, Store, TIMEOUT, assert_eventually, cli, client, eventually, os,
    store,
};

/// How a server is to be started.
#[derive(Clone, Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
    certificate: Option<Arc<Certificate>>,
    database: Option<Arc<Database>>,
    store: Option<Arc<Store>>,
    disk: Option<&'static str>,
    arguments: Vec<&'static str>,
    unready: bool,
    storeless: bool,
    descriptors: Option<u64>,
}

/// A running server. Dropping it checks the books, kills it and removes its database and store.
pub struct Server {
    pub db: Arc<Database>,
    pub store: Arc<Store>,
    builder: Builder,
    child: Mutex<Child>,
    log: Arc<Mutex<String>>,
    base_url: String,
    management_url: String,
    agent: ureq::Agent,
    audit: AtomicBool,
    compare: AtomicBool,
}

impl Builder {
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// For tests that upload much and are not about the rate limit.
    pub fn no_rate_limit(self) -> Self {
        self.set("BACKUP_RATE_LIMIT_PER_MINUTE", 0).set("BACKUP_RATE_LIMIT_PER_HOUR", 0)
    }

    pub fn tls(mut self, certificate: &Arc<Certificate>) -> Self {
        self.certificate = Some(Arc::clone(certificate));
        self
    }

    pub fn database(mut self, database: &Arc<Database>) -> Self {
        self.database = Some(Arc::clone(database));
        self
    }

    pub fn store(mut self, store: &Arc<Store>) -> Self {
        self.store = Some(Arc::clone(store));
        self
    }

    /// The store gets a file system of its own of this size (`2m`).
    pub fn disk(mut self, size: &'static str) -> Self {
        self.disk = Some(size);
        self
    }

    /// Options of `strongroom serve`.
    pub fn arguments(mut self, arguments: &[&'static str]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// Does not wait until the server is healthy, only until it listens.
    pub fn unready(mut self) -> Self {
        self.unready = true;
        self
    }

    /// The process can never have more descriptors open.
    pub fn descriptors(mut self, most: u64) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// The test's own settings say where the store is.
    pub fn no_store(mut self) -> Self {
        self.storeless = true;
        self
    }

    pub fn start(mut self) -> Server {
        let db = self.database.get_or_insert_with(|| Arc::new(Database::new())).clone();
        let store = self.store.get_or_insert_with(|| Arc::new(Store::new())).clone();
        let mut command = self.command();
        command.envs(self.environment()).stdout(Stdio::null()).stderr(Stdio::piped());
        os::die_with_parent(&mut command);
        if let Some(most) = self.descriptors {
            os::start_with_descriptors(&mut command, most);
        }
        let mut child = command.spawn().expect("start strongroom");
        let log = follow(&mut child);
        let (base_url, management_url) = wait_until_it_listens(&mut child, &log);
        let server = Server {
            db,
            store,
            child: Mutex::new(child),
            log,
            agent: client::agent(),
            base_url,
            management_url,
            audit: AtomicBool::new(true),
            // The file system of its own is seen by the server alone.
            compare: AtomicBool::new(self.disk.is_none()),
            builder: self,
        };
        if !server.builder.unready {
            assert_eventually("healthy", TIMEOUT * 3, || {
                server.get("/api/health").try_send().is_ok_and(|answer| answer.status == 200)
            });
        }
        server
    }

    fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_strongroom");
        let Some(size) = self.disk else {
            let mut command = Command::new(binary);
            cli::clean(&mut command);
            command.arg("serve").args(&self.arguments);
            return command;
        };
        let mut command = Command::new("unshare");
        cli::clean(&mut command);
        let flags: &[&str] =
            if os::is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
        let script = format!(r#"mount -t tmpfs -o size={size} tmpfs "$BACKUP_DATA_DIR" && exec "$0" serve"#);
        command.args(flags).args(["sh", "-c", &script, binary]);
        command
    }

    fn environment(&self) -> Vec<(String, String)> {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all =
            vec![set("LISTEN_ADDRESS", "127.0.0.1:0"), set("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0")];
        all.push(set("RUST_BACKTRACE", "1"));
        if let Some(database) = &self.database {
            all.push(set("DATABASE_URL", database.url()));
        }
        if let Some(store) = self.store.as_ref().filter(|_| !self.storeless) {
            all.extend(store.settings());
        }
        if let Some(certificate) = &self.certificate {
            all.push(set("TLS_CERT_FILE", &certificate.cert_file().to_string_lossy()));
            all.push(set("TLS_KEY_FILE", &certificate.key_file().to_string_lossy()));
        }
        all.extend(self.settings.iter().cloned());
        all
    }
}

fn follow(child: &mut Child) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let (stderr, into) = (child.stderr.take().expect("piped"), Arc::clone(&log));
    thread::spawn(move || {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    log
}

/// Where the collect API and the management API listen, without a slash at the end.
fn wait_until_it_listens(child: &mut Child, log: &Mutex<String>) -> (String, String) {
    let read = || log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let url_behind = |log: &str, words: &str| {
        let (_, rest) = log.split_once(words)?;
        let (url, _) = rest.split_once(char::is_whitespace)?;
        Some(url.trim_end_matches(['/', ',', '.']).to_owned())
    };
    let mut urls = None;
    eventually(TIMEOUT * 3, || {
        let log = read();
        urls = url_behind(&log, "] listening on ").zip(url_behind(&log, "] management API on "));
        urls.is_some() || child.try_wait().expect("wait for strongroom").is_some()
    });
    urls.unwrap_or_else(|| {
        let _ = child.kill();
        panic!("strongroom serve does not listen:\n{}", read())
    })
}

impl Server {
    pub fn start() -> Self {
        Self::with([])
    }

    pub fn with<const N: usize>(settings: [(&str, &str); N]) -> Self {
        settings.into_iter().fold(Builder::default(), |b, (name, value)| b.set(name, value)).start()
    }

    /// One that takes as many uploads as are sent.
    pub fn unlimited() -> Self {
        Self::builder().no_rate_limit().start()
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One whose connections to Postgres are in the hands of the test. The link comes first, because it has to
    /// be dropped last.
    pub fn on_a_link() -> (PostgresLink, Self) {
        let database = Arc::new(Database::new());
        let link = PostgresLink::to(&database);
        // A rate limit that is far away: with none at all no slots would be counted.
        let server = Self::builder()
            .database(&database)
            .set("DATABASE_URL", link.url())
            .set("BACKUP_RATE_LIMIT_PER_MINUTE", 600)
            .set("BACKUP_RATE_LIMIT_PER_HOUR", 600);
        (link, server.start())
    }

    /// A second process on the same database and store with the same settings.
    pub fn sibling(&self) -> Self {
        self.builder.clone().start()
    }

    /// The same with one setting changed.
    pub fn sibling_with(&self, name: &str, value: impl Display) -> Self {
        self.builder.clone().set(name, value).start()
    }

    pub fn settings(&self) -> Vec<(String, String)> {
        self.builder.environment()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Of the management API.
    pub fn management_url(&self, path: &str) -> String {
        format!("{}{path}", self.management_url)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.base_url.rsplit('/').next().unwrap_or_default()
    }

    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.builder.certificate.as_ref()
    }

    pub fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For tests that spoil the books on purpose, or end without a database.
    pub fn skip_audit(&self) {
        self.audit.store(false, Ordering::Relaxed);
    }

    /// For tests that spoil the store on purpose, or end without it.
    pub fn skip_comparison(&self) {
        self.compare.store(false, Ordering::Relaxed);
    }

    pub fn signal(&self, signal: i32) {
        os::signal(self.pid(), signal);
    }

    /// SIGTERM; the exit status, once the process has ended.
    pub fn stop_gracefully(&self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Whether the process has ended by itself or by a signal, and which.
    pub fn died_of(&self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        self.child().try_wait().expect("wait for strongroom")?.signal()
    }

    /// Whether the process stands still (SIGSTOP).
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child().id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    #[track_caller]
    pub fn wait(&self) -> ExitStatus {
        let mut status = None;
        assert_eventually("the process ends", TIMEOUT * 2, || {
            status = self.child().try_wait().expect("wait for strongroom");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// As a power cut would: no signal handler, no clean-up.
    pub fn kill(&self) {
        let _ = self.child().kill();
        let _ = self.child().wait();
    }

    pub fn objects(&self) -> BTreeSet<String> {
        self.store.objects_in_bucket().unwrap_or_else(|| store::objects(&self.store_root()))
    }

    pub fn temporary(&self) -> BTreeSet<String> {
        self.store.uploads_to_bucket().unwrap_or_else(|| store::temporary(&self.store_root()))
    }

    /// Whether some bytes of an upload have reached the store: a file that was only made may be one of a process that is
    /// about to lock it, and is no leftover yet.
    pub fn has_half_an_object(&self) -> bool {
        match self.store.uploads_to_bucket() {
            Some(uploads) => !uploads.is_empty(),
            None => {
                let written = |key: &String| {
                    self.store_root().join(key).metadata().is_ok_and(|metadata| metadata.len() > 0)
                };
                self.temporary().iter().any(written)
            }
        }
    }

    /// The store folder as the server sees it: with a disk of its own it lies in the server's mount namespace.
    pub fn store_root(&self) -> PathBuf {
        let path = self.store.path();
        if self.builder.disk.is_none() {
            return path;
        }
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let failed = thread::panicking();
        let with_store = self.compare.load(Ordering::Relaxed);
        let audit = (!failed && self.audit.load(Ordering::Relaxed))
            .then(|| if with_store { self.cli(["audit", "--store"]) } else { self.cli(["audit"]) });
        self.kill();
        if failed {
            eprintln!("--- log of {}\n{}---", self.base_url, self.log());
        }
        if let Some(audit) = audit {
            assert_eq!(
                audit.code, 0,
                "books, rows and objects do not agree at the end of the test: {audit:?}"
            );
        }
    }
}
