//! Starts a server with a test's settings, database, store and limits.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::common::namespaces;
use crate::engine::Bucket;

use super::{Certificate, Database, Server, Store, TIMEOUT, assert_eventually, cli, client, eventually, os};

/// A server that is not started yet.
#[derive(Clone, Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
    pub(super) certificate: Option<Arc<Certificate>>,
    database: Option<Arc<Database>>,
    store: Option<Arc<Store>>,
    pub(super) disk: Option<&'static str>,
    arguments: Vec<&'static str>,
    unready: bool,
    storeless: bool,
    descriptors: Option<u64>,
}

impl Builder {
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// For tests that upload much and do not test the rate limit.
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

    /// Puts the store on a file system of its own, of this size (`2m`). The test begins with `needs_mounts!`.
    pub fn disk(mut self, size: &'static str) -> Self {
        self.disk = Some(size);
        self
    }

    /// Sets options of `strongroom serve`.
    pub fn arguments(mut self, arguments: &[&'static str]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// Waits only until the server listens, and not until it is healthy.
    pub fn unready(mut self) -> Self {
        self.unready = true;
        self
    }

    /// Limits the process's open descriptors from its start.
    pub fn descriptors(mut self, most: u64) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Leaves the store's settings to the test.
    pub fn no_store(mut self) -> Self {
        self.storeless = true;
        self
    }

    /// Stores in this bucket, with the address of the engine or of a proxy to it.
    pub fn bucket(self, bucket: &Bucket, endpoint: &str) -> Self {
        let settings = bucket.settings(endpoint);
        settings.into_iter().fold(self.no_store(), |builder, (name, value)| builder.set(name, value))
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
            // Only the server sees a file system of its own.
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
        let way = namespaces::own_mounts().expect("needs_mounts! comes first");
        let mut command = Command::new(way[0]);
        cli::clean(&mut command);
        let script = format!(r#"mount -t tmpfs -o size={size} tmpfs "$BACKUP_DATA_DIR" && exec "$0" serve"#);
        command.args(&way[1..]).args(["sh", "-c", &script, binary]);
        command
    }

    pub(super) fn environment(&self) -> Vec<(String, String)> {
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

/// Returns the addresses of the collect API and of the management API, without a slash at the end.
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
