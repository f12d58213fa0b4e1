//! A body of unknown (or small) length: gathered part by part in buffers that
//! grow as they fill. If it ends within the first part it is one object, sent whole; else
//! a multipart upload. One part is sent while the next one is gathered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusoto_s3::{
    AbortMultipartUploadRequest, CompleteMultipartUploadRequest, CompletedMultipartUpload, CompletedPart,
    CreateMultipartUploadRequest, S3,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::engine::{CALL, Engine, Limits};
use super::facts::metadata;
use super::parts::Claim;
use super::put::{FINISH, Failure, Feed, Job, send_whole};
use super::trouble::Trouble;
use crate::domain::object_key::ObjectKey;

/// The least a part has, in bytes (S3 wants 5 MiB).
const PART: usize = 8 << 20;
/// S3 takes no more parts.
const MOST_PARTS: usize = 10_000;
/// A buffer's first bytes: free of any cap, like those of a streamed body.
const FREE: usize = 64 << 10;
/// How long a buffer waits for room to grow before that is the engine's fault.
const ROOM: Duration = Duration::from_secs(20);

/// Bytes of a part: later ones are larger, so that 10,000 make more than 200 GiB.
fn part_size(number: usize) -> usize {
    match number {
        ..=2500 => PART,
        2501..=5000 => 2 * PART,
        _ => 4 * PART,
    }
}

pub(super) async fn run(job: Job, feed: mpsc::Receiver<Feed>) -> Result<(), Failure> {
    let mut body = Parted { job, feed, rest: None, sent: None };
    let first = body.gather(1, &mut None).await?;
    let engine = Arc::clone(&body.job.engine);
    if first.end {
        let deadline = Instant::now() + FINISH.total;
        return send_whole(&engine, &body.job.key, &body.job.about, first.bytes, deadline).await;
    }
    let upload = body.create().await.map_err(Failure::clean)?;
    fail_point!("s3.created");
    let result = body.send_parts(&upload, first).await;
    if result.is_err() {
        // Before the answer, for as long as an answer may wait; to its end in any case.
        let (owner, key) = (Arc::clone(&engine), body.job.key);
        let abort = owner.start(async move {
            if let Err(trouble) = engine.abort(CALL, key.as_str(), &upload).await {
                log::warn!("abort the upload of {key}: {trouble:?}; left to the sweeper");
            }
        });
        let _ = timeout(Duration::from_secs(1), abort).await;
    }
    result
}

/// A body on its way into parts.
struct Parted {
    job: Job,
    feed: mpsc::Receiver<Feed>,
    /// What came with a part's last chunk and belongs to the next.
    rest: Option<Bytes>,
    /// The part before, when it was done while this one was gathered.
    sent: Option<CompletedPart>,
}

/// What has come for one part.
struct Gathered {
    bytes: Bytes,
    claim: Claim,
    /// The body is over.
    end: bool,
}

type Sending = JoinHandle<Result<CompletedPart, Trouble>>;

async fn finished(sending: &mut Option<Sending>) -> Result<Option<CompletedPart>, Failure> {
    let Some(part) = sending.take() else { return Ok(None) };
    let sent = part.await.unwrap_or_else(|error| Err(Trouble::passing(error)));
    sent.map(Some).map_err(Failure::clean)
}

impl Parted {
    /// The next part. Ends early if the part that is being sent meanwhile fails.
    async fn gather(&mut self, number: usize, sending: &mut Option<Sending>) -> Result<Gathered, Failure> {
        let most = part_size(number);
        let mut claim = self.job.parts.claim(most);
        let mut buffer = Vec::new();
        let mut rest = self.rest.take();
        loop {
            let chunk = match rest.take() {
                Some(chunk) => chunk,
                None => match self.next(sending).await? {
                    Some(chunk) => chunk,
                    None => return Ok(Gathered { bytes: buffer.into(), claim, end: true }),
                },
            };
            let take = chunk.len().min(most - buffer.len());
            let needed = buffer.len() + take;
            if needed > buffer.capacity() {
                let capacity = needed.next_power_of_two().max(4096).min(most);
                if capacity > FREE {
                    let grown = timeout(ROOM, claim.grow(capacity)).await;
                    grown.map_err(|_| Failure::clean(Trouble::late(ROOM)))?;
                }
                buffer.reserve_exact(capacity - buffer.len());
            }
            buffer.extend_from_slice(&chunk[..take]);
            if take < chunk.len() {
                self.rest = Some(chunk.slice(take..));
            }
            if buffer.len() == most {
                return Ok(Gathered { bytes: buffer.into(), claim, end: false });
            }
        }
    }

    /// `None` at the end.
    async fn next(&mut self, sending: &mut Option<Sending>) -> Result<Option<Bytes>, Failure> {
        loop {
            let fed = match sending {
                Some(part) if self.sent.is_none() => tokio::select! {
                    fed = self.feed.recv() => fed,
                    sent = part => {
                        *sending = None;
                        let sent = sent.unwrap_or_else(|error| Err(Trouble::passing(error)));
                        self.sent = Some(sent.map_err(Failure::clean)?);
                        continue;
                    }
                },
                _ => self.feed.recv().await,
            };
            return match fed {
                Some(Feed::Chunk(chunk)) => Ok(Some(chunk)),
                Some(Feed::End) => Ok(None),
                None => Err(Failure::given_up()),
            };
        }
    }

    async fn create(&self) -> Result<String, Trouble> {
        let request = CreateMultipartUploadRequest {
            bucket: self.job.engine.bucket.clone(),
            key: self.job.key.to_string(),
            content_type: Some(self.job.about.mimetype.clone()),
            metadata: Some(metadata(&self.job.about)),
            ..CreateMultipartUploadRequest::default()
        };
        let create = |client: rusoto_s3::S3Client| {
            let request = request.clone();
            async move { client.create_multipart_upload(request).await }
        };
        let created =
            self.job.engine.repeat(&format!("CreateMultipartUpload {}", self.job.key), CALL, create).await?;
        created.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| Trouble::passing("no upload id came"))
    }

    async fn send_parts(&mut self, upload: &str, first: Gathered) -> Result<(), Failure> {
        let mut parts = Vec::new();
        let mut size = 0;
        let mut sending = None;
        let mut part = first;
        let deadline = loop {
            let number = parts.len() + 1;
            if number > MOST_PARTS {
                return Err(Failure::clean(Trouble::passing("the body has too many parts")));
            }
            let end = part.end;
            let deadline = Instant::now() + FINISH.total;
            if !part.bytes.is_empty() {
                size += part.bytes.len() as u64;
                let limits = if end { FINISH.until(deadline) } else { CALL };
                sending = Some(self.send_part(upload, number, part, limits));
            }
            if end {
                parts.extend(finished(&mut sending).await?);
                break deadline;
            }
            part = self.gather(number + 1, &mut sending).await?;
            parts.extend(finished(&mut sending).await?);
            parts.extend(self.sent.take());
        };
        fail_point!("s3.parts_sent");
        self.complete(upload, parts, size, deadline).await
    }

    fn send_part(&self, upload: &str, number: usize, part: Gathered, limits: Limits) -> Sending {
        let (engine, key, upload) = (Arc::clone(&self.job.engine), self.job.key.clone(), upload.to_owned());
        self.job.engine.start(async move {
            let Gathered { bytes, claim, .. } = part;
            let request = || engine.part_request(&key, &upload, number, bytes.clone());
            let e_tag = engine.send(limits, request).await?;
            drop(claim);
            Ok(CompletedPart { e_tag: Some(e_tag), part_number: i64::try_from(number).ok() })
        })
    }

    /// Makes an object of the parts. An engine may answer 200 and say in the body that it failed, so
    /// only the object itself is believed.
    async fn complete(
        &self,
        upload: &str,
        parts: Vec<CompletedPart>,
        size: u64,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let request = CompleteMultipartUploadRequest {
            bucket: self.job.engine.bucket.clone(),
            key: self.job.key.to_string(),
            upload_id: upload.to_owned(),
            multipart_upload: Some(CompletedMultipartUpload { parts: Some(parts) }),
            ..CompleteMultipartUploadRequest::default()
        };
        let name = format!("CompleteMultipartUpload {}", self.job.key);
        let mut trouble = None;
        for _ in 0..2 {
            let (client, request) = (self.job.engine.client.clone(), request.clone());
            let limits = FINISH.until(deadline);
            let complete = async move { client.complete_multipart_upload(request).await };
            let answer = self.job.engine.call(&name, limits.attempt, complete).await;
            fail_point!("s3.completed");
            if self.is_there(size, deadline).await {
                return Ok(());
            }
            trouble = Some(match answer {
                Ok(_) => Trouble::passing("completing the upload made no object"),
                Err(trouble) => trouble,
            });
        }
        Err(Failure { trouble, maybe_stored: true })
    }

    async fn is_there(&self, size: u64, deadline: Instant) -> bool {
        let head = self.job.engine.head(FINISH.until(deadline), self.job.key.as_str()).await;
        head.is_ok_and(|found| found == size)
    }
}

impl Engine {
    /// Aborting what is gone succeeds.
    pub(super) async fn abort(&self, limits: Limits, key: &str, upload: &str) -> Result<(), Trouble> {
        let request = AbortMultipartUploadRequest {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            upload_id: upload.to_owned(),
            ..AbortMultipartUploadRequest::default()
        };
        let abort = |client: rusoto_s3::S3Client| {
            let request = request.clone();
            async move { client.abort_multipart_upload(request).await }
        };
        match self.repeat(&format!("AbortMultipartUpload {key}"), limits, abort).await {
            Err(trouble) if trouble.is_missing() => Ok(()),
            result => result.map(drop),
        }
    }

    fn part_request(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: usize,
        bytes: Bytes,
    ) -> rusoto_core::signature::SignedRequest {
        let mut request = self.request("PUT", key.as_str());
        request.add_param("partNumber", &number.to_string());
        request.add_param("uploadId", upload);
        request.set_payload(Some(bytes));
        request
    }
}
