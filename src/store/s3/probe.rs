//! Looking at the engine before it is relied on.
//!
//! A write and a deletion cost money at some engines, and fill the history of a bucket with versions. So a check writes
//! only if the last write is a while ago or has failed; in between it asks whether the bucket is there.
//! (`docs/decisions/0022-what-a-check-of-the-store-does.md`)

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rusoto_core::Region;
use rusoto_s3::{GetObjectRequest, HeadBucketRequest, S3, S3Client};
use tokio::time::{Instant, interval};
use uuid::Uuid;

use super::engine::{Engine, Limits};
use super::trouble::{Trouble, said};
use crate::store::StoreError;

/// What a probe writes.
const PROBE: &[u8] = b"Strongroom looks whether it can write here.\n";
const LIST: &str = "list it";
const LIMIT: Limits = Limits::once(Duration::from_secs(5));
const AGAIN: Duration = Duration::from_secs(1);
/// How long a write counts, for checks.
const WRITTEN_FOR: Duration = Duration::from_secs(10);

/// When a check last wrote to the bucket, and the key that checks write to: one for each process, so that a process that is
/// killed leaves one object at most.
pub(super) struct Written {
    at: Mutex<Option<Instant>>,
    key: String,
}

impl Written {
    pub(super) fn new() -> Self {
        Self { at: Mutex::default(), key: format!(".strongroom/probe-{}", Uuid::now_v7()) }
    }

    fn is_recent(&self) -> bool {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < WRITTEN_FOR)
    }

    fn set(&self, at: Option<Instant>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// Whether bucket and key are as they have to be: everything that will be done is done once.
pub(super) async fn prepare(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let bucket = &engine.bucket;
    list(engine).await.map_err(|trouble| refused(trouble, bucket, LIST))?;
    let mut probe = Probe::new(engine, format!(".strongroom/probe-{}", Uuid::now_v7()));
    probe.write().await.map_err(|trouble| refused(trouble, bucket, "write to it"))?;
    probe.read().await.map_err(|trouble| refused(trouble, bucket, "read from it"))?;
    probe.delete().await.map_err(|trouble| refused(trouble, bucket, "delete in it"))?;
    if let Region::Custom { endpoint, .. } = &engine.region {
        engine.told.call_once(|| log::info!("store: the bucket {bucket:?} at {endpoint}"));
    }
    Ok(())
}

/// The first answer to a question that is put again every second: what was asked while the engine was out of reach may
/// wait in vain for long after its return.
async fn list(engine: &Engine) -> Result<(), Trouble> {
    let end = Instant::now() + LIMIT.total;
    let (mut asked, mut again) = (FuturesUnordered::new(), interval(AGAIN));
    loop {
        tokio::select! {
            // A list and not a look at the bucket: only an answer with a body says what is wrong.
            _ = again.tick() => asked.push(engine.page(LIMIT.until(end), ".strongroom/", None, 1)),
            Some(answer) = asked.next() => return answer.map(drop),
        }
    }
}

/// Whether an object could be written now.
pub(super) async fn check(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let result = if engine.written.is_recent() { head(engine).await } else { write(engine).await };
    // Then the next check writes again.
    result.map_err(|trouble| {
        engine.written.set(None);
        trouble.unavailable("write to the store")
    })
}

async fn head(engine: &Engine) -> Result<(), Trouble> {
    let bucket = engine.bucket.clone();
    let request = HeadBucketRequest { bucket: bucket.clone(), ..HeadBucketRequest::default() };
    let head = |client: S3Client| {
        let request = request.clone();
        async move { client.head_bucket(request).await }
    };
    engine.repeat(&format!("HeadBucket {bucket}"), LIMIT, head).await
}

async fn write(engine: &Arc<Engine>) -> Result<(), Trouble> {
    let mut probe = Probe::new(engine, engine.written.key.clone());
    probe.write().await?;
    probe.delete().await?;
    engine.written.set(Some(Instant::now()));
    Ok(())
}

/// A small object. What may be left of it when this is dropped is deleted.
struct Probe {
    engine: Arc<Engine>,
    /// One that no object of ours has.
    key: String,
    gone: bool,
}

impl Probe {
    fn new(engine: &Arc<Engine>, key: String) -> Self {
        Self { engine: Arc::clone(engine), key, gone: false }
    }

    async fn delete(&mut self) -> Result<(), Trouble> {
        self.engine.delete(LIMIT, &self.key).await?;
        self.gone = true;
        Ok(())
    }

    async fn write(&self) -> Result<(), Trouble> {
        let request = || {
            let mut request = self.engine.request("PUT", &self.key);
            request.set_payload(Some(PROBE));
            request
        };
        self.engine.send(LIMIT, request).await.map(drop)
    }

    async fn read(&self) -> Result<(), Trouble> {
        let request = GetObjectRequest {
            bucket: self.engine.bucket.clone(),
            key: self.key.clone(),
            ..GetObjectRequest::default()
        };
        let client = self.engine.client.clone();
        let read = async move {
            let body = client.get_object(request).await?.body;
            let mut all = Vec::new();
            if let Some(mut body) = body {
                while let Some(chunk) = body.next().await {
                    all.extend_from_slice(&chunk?);
                }
            }
            Ok::<_, rusoto_core::RusotoError<rusoto_s3::GetObjectError>>(all)
        };
        let all = self.engine.call(&format!("GetObject {}", self.key), LIMIT.total, read).await?;
        if all == PROBE { Ok(()) } else { Err(Trouble::passing("what was written is not what is read")) }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.gone {
            let (engine, key) = (Arc::clone(&self.engine), std::mem::take(&mut self.key));
            self.engine.start(async move {
                if let Err(trouble) = engine.delete(LIMIT, &key).await {
                    log::debug!("delete {key}: {trouble:?}");
                }
            });
        }
    }
}

fn refused(trouble: Trouble, bucket: &str, what: &str) -> StoreError {
    match trouble {
        Trouble::Answer { status, code, .. } => {
            let hint = match code.as_str() {
                "NoSuchBucket" => "there is no such bucket: BACKUP_S3_BUCKET".to_owned(),
                "InvalidAccessKeyId" => "the engine does not know the key: S3_ACCESS_KEY".to_owned(),
                "SignatureDoesNotMatch" => "the secret is not the key's: S3_SECRET_KEY".to_owned(),
                "AuthorizationHeaderMalformed" => "is the region right? BACKUP_S3_REGION".to_owned(),
                "RequestTimeTooSkewed" => "this machine's clock is wrong".to_owned(),
                _ if what == LIST => {
                    "the key (S3_ACCESS_KEY) is not known there, or needs the right to list it".to_owned()
                }
                _ => format!("the key (S3_ACCESS_KEY) needs the right to {what}"),
            };
            StoreError::Refused(format!("bucket {bucket:?}: {hint} ({})", said(status, &code)))
        }
        trouble @ Trouble::Passing(_) => trouble.unavailable("look at the bucket"),
    }
}
