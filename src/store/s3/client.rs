//! rusoto's client, and the runtime that it runs on.
//!
//! rusoto's client must not be used from several runtimes (its connections are tasks of the one that opened them), has no
//! timeouts, repeats nothing, and its generated code panics on some odd headers. So every call is a task of its own on one
//! runtime, with a timeout (`calls.rs`). A panic counts as an answer that can't be understood.

use std::future::Future;
use std::num::NonZero;
use std::sync::Once;
use std::time::Duration;

use hyper::client::HttpConnector;
use hyper_tls::HttpsConnector;
use rusoto_core::credential::{AwsCredentials, StaticProvider};
use rusoto_core::{Client as RusotoClient, HttpClient, Region};
use rusoto_s3::S3Client;
use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::TaskTracker;

use super::checked_dispatcher::CheckedDispatcher;
use super::last_write::LastWrite;
use super::settings::S3Settings;

/// Threads for hashing, signing, TLS and copying, for all uploads and downloads: one for each processor, and at least so
/// many.
const MIN_THREADS: usize = 2;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Engines close idle connections after some time, but not so soon.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// The size of a connection's buffer in each direction, in bytes.
const CONNECTION_BUFFER: usize = 128 << 10;

pub(super) struct Client {
    /// The client for requests that are small or can be repeated.
    pub(super) pooled: S3Client,
    /// The client for bodies that can be sent only once: opens a new connection each time, because an idle one may be about to
    /// close.
    pub(super) unpooled: S3Client,
    pub(super) signing: RusotoClient,
    pub(super) region: Region,
    pub(super) presign_region: Region,
    pub(super) credentials: AwsCredentials,
    pub(super) bucket: String,
    pub(super) last_write: LastWrite,
    /// Logs once where the store is.
    pub(super) location_logged: Once,
    pub(super) handle: Handle,
    /// `None` only while this is dropped.
    runtime: Option<Runtime>,
    tasks: TaskTracker,
}

impl Client {
    pub(super) fn new(settings: &S3Settings) -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(MIN_THREADS, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(MIN_THREADS))
            .thread_name("s3")
            .enable_all()
            .build()?;
        let secret = settings.secret_key.expose_secret();
        let credentials = AwsCredentials::new(&settings.access_key, secret, None, None);
        let region_at =
            |endpoint: &str| Region::Custom { name: settings.region.clone(), endpoint: endpoint.to_owned() };
        let region = region_at(&settings.endpoint);
        let client = |idle| {
            let provider = StaticProvider::from(credentials.clone());
            RusotoClient::new_with(provider, CheckedDispatcher(http_client(idle)))
        };
        let signing = client(usize::MAX);
        Ok(Self {
            pooled: S3Client::new_with_client(signing.clone(), region.clone()),
            unpooled: S3Client::new_with_client(client(0), region.clone()),
            signing,
            presign_region: region_at(settings.presign_endpoint.as_ref().unwrap_or(&settings.endpoint)),
            region,
            credentials,
            bucket: settings.bucket.clone(),
            last_write: LastWrite::new(),
            location_logged: Once::new(),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            tasks: TaskTracker::new(),
        })
    }

    /// Spawns work that runs to its end even if its result has no receiver.
    pub(super) fn spawn<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn_on(work, &self.handle)
    }

    /// The number of spawned tasks that have not ended.
    pub(super) fn open_tasks(&self) -> usize {
        self.tasks.len()
    }
}

fn http_client(idle_connections: usize) -> HttpClient<HttpsConnector<HttpConnector>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(Duration::from_secs(15)));
    let mut builder = hyper::Client::builder();
    builder
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(idle_connections)
        .http1_max_buf_size(CONNECTION_BUFFER);
    HttpClient::from_builder(builder, HttpsConnector::new_with_connector(tcp))
}

impl Drop for Client {
    fn drop(&mut self) {
        // This may be dropped on a thread that must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
