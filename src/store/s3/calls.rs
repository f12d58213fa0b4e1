//! Calls to the S3 server: each one in a task of the client's runtime, with a timeout, and repeated where that is allowed.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use rusoto_core::RusotoError;
use rusoto_core::signature::SignedRequest;
use rusoto_s3::S3Client;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::call_error::CallError;
use super::client::Client;

const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long a call to the S3 server may take.
#[derive(Clone, Copy)]
pub(super) struct CallTimeouts {
    /// The time for one attempt, up to the first byte of a body.
    pub(super) attempt: Duration,
    /// The time for all attempts together.
    pub(super) total: Duration,
}

/// The timeouts of calls that a client waits for: well below the 30 s within which the client receives its answer.
pub(super) const DEFAULT_TIMEOUTS: CallTimeouts =
    CallTimeouts { attempt: Duration::from_secs(10), total: Duration::from_secs(15) };

impl CallTimeouts {
    /// Returns the timeouts of a call with a single attempt.
    pub(super) const fn once(limit: Duration) -> Self {
        Self { attempt: limit, total: limit }
    }

    /// Shortens the timeouts so that the call ends by `deadline`.
    pub(super) fn until(self, deadline: Instant) -> Self {
        let left = deadline.saturating_duration_since(Instant::now());
        Self { attempt: self.attempt.min(left), total: self.total.min(left) }
    }
}

impl Client {
    /// Makes one attempt at a call. `name` says in errors which call it is, on which key.
    pub(super) async fn call<T, E>(
        &self,
        name: &str,
        limit: Duration,
        request: impl Future<Output = Result<T, RusotoError<E>>> + Send + 'static,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        E: Debug + Send + 'static,
    {
        let task = AbortOnDropHandle::new(self.handle.spawn(timeout(limit, request)));
        // The outer timeout is for a call that never yields its thread.
        let error = match timeout(limit + Duration::from_millis(500), task).await {
            Ok(Ok(Ok(Ok(output)))) => return Ok(output),
            Ok(Ok(Ok(Err(error)))) => CallError::from_rusoto(error),
            Ok(Ok(Err(_))) | Err(_) => CallError::timed_out(limit),
            Ok(Err(error)) => CallError::transient(format!("the answer can't be understood: {error}")),
        };
        Err(error.with_call(name))
    }

    /// Makes a call that may be repeated: up to three attempts within the timeouts.
    pub(super) async fn repeat<T, E, F>(
        &self,
        name: &str,
        timeouts: CallTimeouts,
        request: impl Fn(S3Client) -> F,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        E: Debug + Send + 'static,
        F: Future<Output = Result<T, RusotoError<E>>> + Send + 'static,
    {
        attempts(timeouts, |limit| self.call(name, limit, request(self.pooled.clone()))).await
    }

    /// Sends a request whose body is in memory, signed with its hash, and returns the answer's `ETag`.
    pub(super) async fn send(
        &self,
        timeouts: CallTimeouts,
        request: impl Fn() -> SignedRequest,
    ) -> Result<String, CallError> {
        let named = request();
        let name = format!("{} {}", named.method, named.path);
        let send = |limit| {
            let (client, request) = (self.signing.clone(), request());
            self.call(&name, limit, async move {
                let mut response = client.sign_and_dispatch(request).await?;
                if response.status.is_success() {
                    return require_e_tag(response.headers.remove("etag"));
                }
                let response = response.buffer().await?;
                Err(RusotoError::<std::convert::Infallible>::Unknown(response))
            })
        };
        attempts(timeouts, send).await
    }
}

/// Returns the `ETag` that every engine gives an object. An answer without one is not an engine's.
#[expect(clippy::result_large_err, reason = "it is rusoto's")]
pub(super) fn require_e_tag<E>(tag: Option<String>) -> Result<String, RusotoError<E>> {
    tag.ok_or_else(|| RusotoError::ParseError("it has no ETag".to_owned()))
}

async fn attempts<T, F>(timeouts: CallTimeouts, attempt: impl Fn(Duration) -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let deadline = Instant::now() + timeouts.total;
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        let limit = timeouts.until(deadline).attempt;
        match attempt(limit).await {
            Err(error) if error.is_transient() && Instant::now() + 2 * pause < deadline => {
                log::debug!("an attempt failed, trying again: {error:?}");
            }
            result => return result,
        }
        sleep(pause).await;
        pause *= 3;
    }
    attempt(timeouts.until(deadline).attempt).await
}
