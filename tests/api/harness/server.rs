//! The real binary, serving in a process of its own.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::common::namespaces;

use super::{
    Builder, Certificate, Database, PostgresLink, Store, TIMEOUT, assert_eventually, os, sample, store,
};

/// A running server. Dropping it checks the totals, kills it, and removes its database and store.
pub struct Server {
    pub db: Arc<Database>,
    pub store: Arc<Store>,
    pub(super) builder: Builder,
    pub(super) child: Mutex<Child>,
    pub(super) log: Arc<Mutex<String>>,
    pub(super) base_url: String,
    pub(super) management_url: String,
    pub(super) agent: ureq::Agent,
    pub(super) audit: AtomicBool,
    pub(super) compare: AtomicBool,
}

impl Server {
    pub fn start() -> Self {
        Self::with([])
    }

    pub fn with<const N: usize>(settings: [(&str, &str); N]) -> Self {
        settings.into_iter().fold(Builder::default(), |b, (name, value)| b.set(name, value)).start()
    }

    /// Starts a server without rate limit.
    pub fn unlimited() -> Self {
        Self::builder().no_rate_limit().start()
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts a server behind a link to Postgres. The link comes first in the pair, because it must be dropped
    /// last.
    pub fn on_a_link() -> (PostgresLink, Self) {
        let database = Arc::new(Database::new());
        let link = PostgresLink::to(&database);
        // A high rate limit: without any, no slots would be counted.
        let server = Self::builder()
            .database(&database)
            .set("DATABASE_URL", link.url())
            .set("BACKUP_RATE_LIMIT_PER_MINUTE", 600)
            .set("BACKUP_RATE_LIMIT_PER_HOUR", 600)
            .start();
        // The first runs of these tasks commit transactions, which a fault of the link would hit instead of the test's.
        for task in ["history", "usage"] {
            let succeeded = format!("strongroom_task_last_success_timestamp_seconds{{task=\"{task}\"}}");
            assert_eventually("the task has run", TIMEOUT, || sample(&server.metrics(), &succeeded) > 0.0);
        }
        (link, server)
    }

    /// Starts a second process with the same database, store and settings.
    pub fn sibling(&self) -> Self {
        self.builder.clone().start()
    }

    /// Starts a second process with one setting changed.
    pub fn sibling_with(&self, name: &str, value: impl Display) -> Self {
        self.builder.clone().set(name, value).start()
    }

    pub fn settings(&self) -> Vec<(String, String)> {
        self.builder.environment()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Returns an address of the management API.
    pub fn management_url(&self, path: &str) -> String {
        format!("{}{path}", self.management_url)
    }

    /// Returns `127.0.0.1:PORT`.
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

    /// For tests that damage the totals on purpose, or end without a database.
    pub fn skip_audit(&self) {
        self.audit.store(false, Ordering::Relaxed);
    }

    /// For tests that damage the store on purpose, or end without it.
    pub fn skip_comparison(&self) {
        self.compare.store(false, Ordering::Relaxed);
    }

    pub fn signal(&self, signal: i32) {
        os::signal(self.pid(), signal);
    }

    /// Sends SIGTERM, and returns the exit status when the process has ended.
    pub fn stop_gracefully(&self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Returns the signal that ended the process, if one did.
    pub fn exit_signal(&self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        self.child().try_wait().expect("wait for strongroom")?.signal()
    }

    /// Whether the process is paused (SIGSTOP).
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

    /// Kills the process as a crash would: no signal handler, no clean-up.
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

    pub fn marks(&self) -> BTreeSet<String> {
        if self.store.uploads_to_bucket().is_some() {
            BTreeSet::new()
        } else {
            store::marks(&self.store_root())
        }
    }

    /// An object without a row that has a mark is kept for an hour: lets that hour be over.
    pub fn age_marks(&self) {
        for name in self.marks() {
            let file = std::fs::File::options().write(true).open(self.store_root().join(name));
            // It may be removed at this moment.
            let _ = file.and_then(|file| file.set_modified(SystemTime::now() - Duration::from_hours(2)));
        }
    }

    /// Whether bytes of an upload have reached the store. An empty file does not count: it may belong to a
    /// process that is about to lock it, and is no leftover yet.
    pub fn has_bytes_of_an_upload(&self) -> bool {
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

    /// Returns the store folder as the server sees it: its own disk is mounted in the server's mount namespace.
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
        let own_disk = self.builder.disk.and_then(|_| namespaces::own_mounts());
        if own_disk.is_some_and(namespaces::is_visible_outside) {
            let _ = Command::new("umount").arg("--lazy").arg(self.store.path()).output();
        }
        if failed {
            eprintln!("--- log of {}\n{}---", self.base_url, self.log());
        }
        if let Some(audit) = audit {
            assert_eq!(audit.code, 0, "totals, rows and objects differ at the end of the test: {audit:?}");
        }
    }
}
