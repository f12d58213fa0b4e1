//! A put: who owns it, and how it is taken back.
//!
//! A task on the engine's runtime owns everything that is under way with the engine. A streamed body goes there
//! with it; of any other the caller's future hands over chunk by chunk, and `End` when the body has ended as it
//! was said to. The put is given up, for whatever reason (a broken body, a wrong length, the future dropped), by
//! the caller's future ending: nobody listens any more, or the channel closes without `End`. The task then
//! cleans up by itself.
//!
//! Three ways to send, by what is known:
//! * up to [`SMALL`] bytes, and what turns out to be no longer than a part: gathered and
//!   sent with a signed hash, which the engine verifies; may be repeated;
//! * longer, known length: streamed as it comes (`stream.rs`); can't be repeated;
//! * longer, unknown length: in parts (`multipart.rs`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::S3Store;
use super::engine::{CALL, Engine, Limits};
use super::parts::Parts;
use super::stream::Source;
use super::trouble::Trouble;
use super::{multipart, stream};
use crate::domain::object_key::ObjectKey;
use crate::store::{ObjectFacts, PutBody, PutError, StoreError};

pub(super) const DOING: &str = "write the object";
/// Bytes of the largest body of known length that is gathered: what a stream may cost.
const SMALL: u64 = 64 << 10;
/// For everything between the body's end and the engine's last word.
pub(super) const FINISH: Limits = Limits { attempt: Duration::from_secs(10), total: Duration::from_secs(15) };
/// How long an answer waits for what was sent to be taken back, which is done in any case.
const TAKE_BACK: Duration = Duration::from_secs(2);

/// From the caller to the task.
pub(super) enum Feed {
    Chunk(Bytes),
    End,
}

/// What the task works on.
pub(super) struct Job {
    pub(super) engine: Arc<Engine>,
    pub(super) parts: Arc<Parts>,
    pub(super) key: ObjectKey,
    pub(super) about: ObjectFacts,
}

/// How the body comes to it.
enum Way {
    Streamed(Source),
    Gathered(mpsc::Receiver<Feed>),
}

/// A put that did not succeed.
pub(super) struct Failure {
    /// `None`: it was given up.
    pub(super) trouble: Option<Trouble>,
    /// Whether the engine may have got all of it.
    pub(super) maybe_stored: bool,
}

impl Failure {
    /// The engine does not have all of it.
    pub(super) fn clean(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), maybe_stored: false }
    }

    pub(super) fn given_up() -> Self {
        Self { trouble: None, maybe_stored: false }
    }
}

pub(super) async fn put(
    store: &S3Store,
    key: &ObjectKey,
    length: Option<u64>,
    about: &ObjectFacts,
    body: PutBody,
) -> Result<u64, PutError> {
    let engine = Arc::clone(&store.engine);
    let parts = Arc::clone(&store.parts);
    let job = Job { engine: Arc::clone(&engine), parts, key: key.clone(), about: about.clone() };
    let (tell, told) = oneshot::channel();
    let outcome = Outcome { told, engine, key: key.clone() };
    match length.filter(|length| *length > SMALL) {
        Some(length) => {
            let (source, broken) = Source::new(body, length);
            own(job, Way::Streamed(source), tell);
            outcome.unless(broken).await.map(|()| length)
        }
        None => {
            let (chunks, feed) = mpsc::channel(1);
            own(job, Way::Gathered(feed), tell);
            Pump { chunks, outcome }.run(length, body).await
        }
    }
}

/// Starts the task that owns a put.
fn own(job: Job, way: Way, mut tell: oneshot::Sender<Result<(), StoreError>>) {
    let (engine, key) = (Arc::clone(&job.engine), job.key.clone());
    let owner = Arc::clone(&engine);
    engine.start(async move {
        let done = match way {
            Way::Streamed(source) => stream::run(job, source, &mut tell).await,
            Way::Gathered(feed) => multipart::run(job, feed).await,
        };
        let result = match done {
            Ok(()) => Ok(()),
            Err(Failure { trouble, maybe_stored }) => {
                if maybe_stored {
                    let undo = owner.start(take_back(Arc::clone(&owner), key.clone()));
                    let _ = timeout(TAKE_BACK, undo).await;
                }
                let trouble = trouble.unwrap_or_else(|| Trouble::passing("given up"));
                Err(trouble.unavailable(DOING))
            }
        };
        if let Err(Ok(())) = tell.send(result) {
            take_back(Arc::clone(&owner), key).await;
        }
    });
}

/// Sends a body that lies in memory.
pub(super) async fn send_whole(
    engine: &Engine,
    key: &ObjectKey,
    about: &ObjectFacts,
    body: Bytes,
    deadline: Instant,
) -> Result<(), Failure> {
    use sha2::{Digest, Sha256};
    let sha256 = about.sha256.unwrap_or_else(|| Sha256::digest(&body).into());
    let about = ObjectFacts { sha256: Some(sha256), ..about.clone() };
    let request = || engine.put_request(key, &about, body.clone());
    match engine.send(FINISH.until(deadline), request).await {
        Ok(_) => {
            fail_point!("s3.sent");
            Ok(())
        }
        Err(trouble) => Err(Failure { maybe_stored: trouble.is_passing(), trouble: Some(trouble) }),
    }
}

/// Deletes what may have come to be.
async fn take_back(engine: Arc<Engine>, key: ObjectKey) {
    if let Err(trouble) = engine.delete(CALL, key.as_str()).await {
        // The caller's books know of it, and delete it again.
        log::warn!("delete what is left of {key}: {trouble:?}");
    }
}

/// The task's last word. An object that came to be while nobody listened any more is deleted.
struct Outcome {
    told: oneshot::Receiver<Result<(), StoreError>>,
    engine: Arc<Engine>,
    key: ObjectKey,
}

impl Outcome {
    async fn last_word(&mut self) -> Result<(), PutError> {
        match (&mut self.told).await {
            Ok(told) => Ok(told?),
            Err(_) => Err(Trouble::passing("its task has ended").unavailable(DOING).into()),
        }
    }

    /// The task's last word on a body that it streams; or else how that broke.
    async fn unless(mut self, broken: oneshot::Receiver<PutError>) -> Result<(), PutError> {
        tokio::select! {
            biased;
            Ok(error) = broken => Err(error),
            told = self.last_word() => told,
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.told.close();
        if let Ok(Ok(())) = self.told.try_recv() {
            self.engine.start(take_back(Arc::clone(&self.engine), self.key.clone()));
        }
    }
}

/// The caller's side of a body that is gathered.
struct Pump {
    chunks: mpsc::Sender<Feed>,
    outcome: Outcome,
}

impl Pump {
    async fn run(mut self, length: Option<u64>, mut body: PutBody) -> Result<u64, PutError> {
        let mut got = 0;
        loop {
            let item = tokio::select! {
                biased;
                early = &mut self.outcome.told => return Err(early_end(early)),
                item = body.next() => item,
            };
            let Some(item) = item else { break };
            let chunk = item.map_err(|_| PutError::Body)?;
            if chunk.is_empty() {
                continue;
            }
            got += chunk.len() as u64;
            if let Some(declared) = length.filter(|declared| got > *declared) {
                return Err(PutError::Length { declared, got });
            }
            self.hand_over(Feed::Chunk(chunk)).await?;
        }
        if let Some(declared) = length.filter(|declared| got < *declared) {
            return Err(PutError::Length { declared, got });
        }
        self.hand_over(Feed::End).await?;
        self.outcome.last_word().await.map(|()| got)
    }

    async fn hand_over(&mut self, what: Feed) -> Result<(), PutError> {
        tokio::select! {
            biased;
            early = &mut self.outcome.told => Err(early_end(early)),
            sent = self.chunks.send(what) => match sent {
                Ok(()) => Ok(()),
                // It has ended, and is about to say why.
                Err(_) => Err(early_end((&mut self.outcome.told).await)),
            },
        }
    }
}

/// The engine's word before the body was over: an error, whatever it says.
fn early_end(told: Result<Result<(), StoreError>, oneshot::error::RecvError>) -> PutError {
    match told {
        Ok(Err(error)) => error.into(),
        _ => Trouble::passing("it ended before the body").unavailable(DOING).into(),
    }
}
