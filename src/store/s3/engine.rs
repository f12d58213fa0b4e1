//! The client, the runtime that it lives on, and the only way to call it.
//!
//! rusoto's client must not be used from several runtimes (its connections are
//! tasks of the one that opened them), has no time limits, repeats nothing, and
//! its generated code panics on some odd headers. So every call is a task of
//! its own on one runtime, with a limit; a panic is an engine that cannot be
//! understood.

use std::fmt::Debug;
use std::future::Future;
use std::num::NonZero;
use std::sync::Once;
use std::time::Duration;

use hyper::client::HttpConnector;
use hyper_tls::HttpsConnector;
use rusoto_core::credential::{AwsCredentials, StaticProvider};
use rusoto_core::signature::SignedRequest;
use rusoto_core::{Client, HttpClient, Region, RusotoError};
use rusoto_s3::S3Client;
use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::S3Settings;
use super::guard::Guard;
use super::probe::Written;
use super::trouble::Trouble;

/// Hashing, signing, TLS and copying for all uploads and downloads: one for each processor, and at least so many.
const LEAST_THREADS: usize = 2;
const CONNECT: Duration = Duration::from_secs(3);
/// Engines close idle connections after some time; not that soon.
const POOL_IDLE: Duration = Duration::from_secs(5);
/// Bytes that a connection may hold on their way in or out.
const CONNECTION_BUFFER: usize = 128 << 10;
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long a call may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// One attempt, up to the first byte of a body.
    pub(super) attempt: Duration,
    /// All attempts.
    pub(super) total: Duration,
}

/// For calls that a client waits for: well within the 30 s that it may have to.
pub(super) const CALL: Limits = Limits { attempt: Duration::from_secs(10), total: Duration::from_secs(15) };

impl Limits {
    /// A single attempt.
    pub(super) const fn once(limit: Duration) -> Self {
        Self { attempt: limit, total: limit }
    }

    /// What is left of them at `deadline`.
    pub(super) fn until(self, deadline: Instant) -> Self {
        let left = deadline.saturating_duration_since(Instant::now());
        Self { attempt: self.attempt.min(left), total: self.total.min(left) }
    }
}

pub(super) struct Engine {
    /// For whatever is small or can be repeated.
    pub(super) client: S3Client,
    /// For bodies that can be sent only once: never on a connection that may
    /// just be closing.
    pub(super) fresh: S3Client,
    signing: Client,
    pub(super) region: Region,
    pub(super) presign_region: Region,
    pub(super) credentials: AwsCredentials,
    pub(super) bucket: String,
    pub(super) written: Written,
    /// The log was told where the store is.
    pub(super) told: Once,
    handle: Handle,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    tasks: TaskTracker,
}

impl Engine {
    pub(super) fn new(settings: &S3Settings) -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(LEAST_THREADS, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(LEAST_THREADS))
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
            Client::new_with(provider, Guard(http_client(idle)))
        };
        let signing = client(usize::MAX);
        Ok(Self {
            client: S3Client::new_with_client(signing.clone(), region.clone()),
            fresh: S3Client::new_with_client(client(0), region.clone()),
            signing,
            presign_region: region_at(settings.presign_endpoint.as_ref().unwrap_or(&settings.endpoint)),
            region,
            credentials,
            bucket: settings.bucket.clone(),
            written: Written::new(),
            told: Once::new(),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            tasks: TaskTracker::new(),
        })
    }

    /// Starts what has to come to its end whether or not somebody waits for it.
    pub(super) fn start<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn_on(work, &self.handle)
    }

    /// What was started and has not come to its end.
    pub(super) fn busy(&self) -> usize {
        self.tasks.len()
    }

    /// One attempt at a call. `name` says in errors what it is and on which key.
    pub(super) async fn call<T, E>(
        &self,
        name: &str,
        limit: Duration,
        request: impl Future<Output = Result<T, RusotoError<E>>> + Send + 'static,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        E: Debug + Send + 'static,
    {
        let task = AbortOnDropHandle::new(self.handle.spawn(timeout(limit, request)));
        // The outer limit is for a call that never gives its thread back.
        let trouble = match timeout(limit + Duration::from_millis(500), task).await {
            Ok(Ok(Ok(Ok(output)))) => return Ok(output),
            Ok(Ok(Ok(Err(error)))) => Trouble::of(error),
            Ok(Ok(Err(_))) | Err(_) => Trouble::late(limit),
            Ok(Err(error)) => Trouble::passing(format!("the answer can't be understood: {error}")),
        };
        Err(trouble.during(name))
    }

    /// A call that may be repeated: up to three attempts within the limits.
    pub(super) async fn repeat<T, E, F>(
        &self,
        name: &str,
        limits: Limits,
        request: impl Fn(S3Client) -> F,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        E: Debug + Send + 'static,
        F: Future<Output = Result<T, RusotoError<E>>> + Send + 'static,
    {
        attempts(limits, |limit| self.call(name, limit, request(self.client.clone()))).await
    }

    /// Sends a request whose body lies in memory, signed with its hash, and gives the answer's `ETag`.
    pub(super) async fn send(
        &self,
        limits: Limits,
        request: impl Fn() -> SignedRequest,
    ) -> Result<String, Trouble> {
        let named = request();
        let name = format!("{} {}", named.method, named.path);
        let send = |limit| {
            let (client, request) = (self.signing.clone(), request());
            self.call(&name, limit, async move {
                let mut response = client.sign_and_dispatch(request).await?;
                if response.status.is_success() {
                    return tagged(response.headers.remove("etag"));
                }
                let response = response.buffer().await?;
                Err(RusotoError::<std::convert::Infallible>::Unknown(response))
            })
        };
        attempts(limits, send).await
    }
}

/// The `ETag` that every engine gives an object. An answer without one is somebody else's.
#[expect(clippy::result_large_err, reason = "it is rusoto's")]
pub(super) fn tagged<E>(tag: Option<String>) -> Result<String, RusotoError<E>> {
    tag.ok_or_else(|| RusotoError::ParseError("it has no ETag".to_owned()))
}

async fn attempts<T, F>(limits: Limits, attempt: impl Fn(Duration) -> F) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let deadline = Instant::now() + limits.total;
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        let limit = limits.until(deadline).attempt;
        match attempt(limit).await {
            Err(trouble) if trouble.is_passing() && Instant::now() + 2 * pause < deadline => {
                log::debug!("an attempt failed, trying again: {trouble:?}");
            }
            result => return result,
        }
        sleep(pause).await;
        pause *= 3;
    }
    attempt(limits.until(deadline).attempt).await
}

fn http_client(idle_connections: usize) -> HttpClient<HttpsConnector<HttpConnector>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(Duration::from_secs(15)));
    let mut builder = hyper::Client::builder();
    builder
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(idle_connections)
        .http1_max_buf_size(CONNECTION_BUFFER);
    HttpClient::from_builder(builder, HttpsConnector::new_with_connector(tcp))
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may be dropped on a thread that must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
