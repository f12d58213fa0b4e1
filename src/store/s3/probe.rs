//! Checks whether bucket and key work: fully at the start, and briefly for the health check.
//!
//! A write and a deletion cost money at some engines, and fill the history of a bucket with versions. So a check writes
//! only if the last write is a while ago or has failed; otherwise it checks that the bucket exists.
//! (`docs/decisions/0022-what-a-check-of-the-store-does.md`)

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rusoto_core::Region;
use rusoto_s3::{GetObjectRequest, HeadBucketRequest, S3, S3Client};
use tokio::time::{Instant, interval};
use uuid::Uuid;

use super::call_error::{CallError, describe_answer};
use super::calls::CallTimeouts;
use super::client::Client;
use crate::store::StoreError;

/// The content that a probe writes.
const PROBE: &[u8] = b"Strongroom checks whether it can write here.\n";
const LIST: &str = "list it";
const TIMEOUTS: CallTimeouts = CallTimeouts::once(Duration::from_secs(5));
const LIST_INTERVAL: Duration = Duration::from_secs(1);

/// Checks that bucket and key work: makes each kind of call that will be made later.
pub(super) async fn prepare(client: &Arc<Client>) -> Result<(), StoreError> {
    let bucket = &client.bucket;
    list(client).await.map_err(|error| refused(error, bucket, LIST))?;
    let mut probe = Probe::new(client, format!(".strongroom/probe-{}", Uuid::now_v7()));
    probe.write().await.map_err(|error| refused(error, bucket, "write to it"))?;
    probe.read().await.map_err(|error| refused(error, bucket, "read from it"))?;
    probe.delete().await.map_err(|error| refused(error, bucket, "delete in it"))?;
    if let Region::Custom { endpoint, .. } = &client.region {
        client.location_logged.call_once(|| log::info!("store: the bucket {bucket:?} at {endpoint}"));
    }
    Ok(())
}

/// Lists the bucket every second until a list is answered: one that was sent while the engine was unreachable may stay
/// unanswered long after the engine is back.
async fn list(client: &Client) -> Result<(), CallError> {
    let end = Instant::now() + TIMEOUTS.total;
    let (mut lists, mut ticks) = (FuturesUnordered::new(), interval(LIST_INTERVAL));
    loop {
        tokio::select! {
            // Not `HeadBucket`: only an answer with a body says what is wrong.
            _ = ticks.tick() => lists.push(client.list_page(TIMEOUTS.until(end), ".strongroom/", None, 1)),
            Some(answer) = lists.next() => return answer.map(drop),
        }
    }
}

/// Checks whether an object could be written now.
pub(super) async fn check(client: &Arc<Client>) -> Result<(), StoreError> {
    let result = if client.last_write.is_recent() { head(client).await } else { write(client).await };
    // After an error the next check writes again.
    result.map_err(|error| {
        client.last_write.set(None);
        error.into_unavailable("write to the store")
    })
}

async fn head(client: &Client) -> Result<(), CallError> {
    let bucket = client.bucket.clone();
    let request = HeadBucketRequest { bucket: bucket.clone(), ..HeadBucketRequest::default() };
    let head = |client: S3Client| {
        let request = request.clone();
        async move { client.head_bucket(request).await }
    };
    client.repeat(&format!("HeadBucket {bucket}"), TIMEOUTS, head).await
}

async fn write(client: &Arc<Client>) -> Result<(), CallError> {
    let mut probe = Probe::new(client, client.last_write.key.clone());
    probe.write().await?;
    probe.delete().await?;
    client.last_write.set(Some(Instant::now()));
    Ok(())
}

/// A small object. Dropping this deletes the object if it may still exist.
struct Probe {
    client: Arc<Client>,
    /// A key that no backup has.
    key: String,
    deleted: bool,
}

impl Probe {
    fn new(client: &Arc<Client>, key: String) -> Self {
        Self { client: Arc::clone(client), key, deleted: false }
    }

    async fn delete(&mut self) -> Result<(), CallError> {
        self.client.delete(TIMEOUTS, &self.key).await?;
        self.deleted = true;
        Ok(())
    }

    async fn write(&self) -> Result<(), CallError> {
        let request = || {
            let mut request = self.client.signed_request("PUT", &self.key);
            request.set_payload(Some(PROBE));
            request
        };
        self.client.send(TIMEOUTS, request).await.map(drop)
    }

    async fn read(&self) -> Result<(), CallError> {
        let request = GetObjectRequest {
            bucket: self.client.bucket.clone(),
            key: self.key.clone(),
            ..GetObjectRequest::default()
        };
        let client = self.client.pooled.clone();
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
        let all = self.client.call(&format!("GetObject {}", self.key), TIMEOUTS.total, read).await?;
        if all == PROBE { Ok(()) } else { Err(CallError::transient("what was read is not what was written")) }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.deleted {
            let (client, key) = (Arc::clone(&self.client), std::mem::take(&mut self.key));
            self.client.spawn(async move {
                if let Err(error) = client.delete(TIMEOUTS, &key).await {
                    log::debug!("could not delete {key}: {error:?}");
                }
            });
        }
    }
}

fn refused(error: CallError, bucket: &str, what: &str) -> StoreError {
    match error {
        CallError::Rejected { status, code, .. } => {
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
            StoreError::Refused(format!("bucket {bucket:?}: {hint} ({})", describe_answer(status, &code)))
        }
        error @ CallError::Transient(_) => error.into_unavailable("check the bucket"),
    }
}
