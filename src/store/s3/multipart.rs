//! Sends a body of unknown (or small) length: gathers it part by part in buffers that grow as they fill. A body that ends
//! within the first part is sent whole; a longer one becomes a multipart upload. One part is sent while the next one is
//! gathered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusoto_s3::{
    CompleteMultipartUploadRequest, CompletedMultipartUpload, CompletedPart, CreateMultipartUploadRequest, S3,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::call_error::CallError;
use super::calls::{CallTimeouts, DEFAULT_TIMEOUTS};
use super::metadata::user_metadata;
use super::part_memory::MemoryClaim;
use super::put_context::{FINISH_TIMEOUTS, PutContext, PutFailure, PutMessage, send_whole};

/// The size of the first parts, in bytes: only the last part may be smaller (S3 requires 5 MiB).
const PART_SIZE: usize = 8 << 20;
/// S3 accepts no more parts.
const MAX_PARTS: usize = 10_000;
/// A buffer's first bytes do not count towards the cap, like those of a streamed body.
const UNCOUNTED: usize = 64 << 10;
/// How long a buffer waits for memory before the put fails as the engine's fault.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the bytes of a part: later ones are larger, so that 10,000 make more than 200 GiB.
fn part_size(number: usize) -> usize {
    match number {
        ..=2500 => PART_SIZE,
        2501..=5000 => 2 * PART_SIZE,
        _ => 4 * PART_SIZE,
    }
}

pub(super) async fn run(put: PutContext, messages: mpsc::Receiver<PutMessage>) -> Result<(), PutFailure> {
    let mut body = MultipartPut { put, messages, rest: None, sent: None };
    let first = body.gather(1, &mut None).await?;
    let client = Arc::clone(&body.put.client);
    if first.is_last {
        let deadline = Instant::now() + FINISH_TIMEOUTS.total;
        return send_whole(&client, &body.put.key, &body.put.metadata, first.bytes, deadline).await;
    }
    let upload = body.create().await.map_err(PutFailure::not_stored)?;
    fail_point!("s3.created");
    let result = body.send_parts(&upload, first).await;
    if result.is_err() {
        // The answer waits a moment for the abort, which runs to its end in any case.
        let (owner, key) = (Arc::clone(&client), body.put.key);
        let abort = owner.spawn(async move {
            if let Err(error) = client.abort_multipart(DEFAULT_TIMEOUTS, key.as_str(), &upload).await {
                log::warn!(
                    "could not abort the multipart upload of {key}: {error:?}; the sweep will remove it"
                );
            }
        });
        let _ = timeout(Duration::from_secs(1), abort).await;
    }
    result
}

/// A body that is sent in parts.
struct MultipartPut {
    put: PutContext,
    messages: mpsc::Receiver<PutMessage>,
    /// The rest of a part's last chunk, which belongs to the next part.
    rest: Option<Bytes>,
    /// The previous part, if its upload ended while this one is gathered.
    sent: Option<CompletedPart>,
}

/// The bytes of one part.
struct GatheredPart {
    bytes: Bytes,
    claim: MemoryClaim,
    /// The body ends with it.
    is_last: bool,
}

type PartUpload = JoinHandle<Result<CompletedPart, CallError>>;

async fn await_part(sending: &mut Option<PartUpload>) -> Result<Option<CompletedPart>, PutFailure> {
    let Some(part) = sending.take() else { return Ok(None) };
    let sent = part.await.unwrap_or_else(|error| Err(CallError::transient(error)));
    sent.map(Some).map_err(PutFailure::not_stored)
}

impl MultipartPut {
    /// Gathers the next part. Ends early if the part that is being sent meanwhile fails.
    async fn gather(
        &mut self,
        number: usize,
        sending: &mut Option<PartUpload>,
    ) -> Result<GatheredPart, PutFailure> {
        let most = part_size(number);
        let mut claim = self.put.memory.claim(most);
        let mut buffer = Vec::new();
        let mut rest = self.rest.take();
        loop {
            let chunk = match rest.take() {
                Some(chunk) => chunk,
                None => match self.next(sending).await? {
                    Some(chunk) => chunk,
                    None => return Ok(GatheredPart { bytes: buffer.into(), claim, is_last: true }),
                },
            };
            let take = chunk.len().min(most - buffer.len());
            let needed = buffer.len() + take;
            if needed > buffer.capacity() {
                let capacity = needed.next_power_of_two().max(4096).min(most);
                if capacity > UNCOUNTED {
                    let grown = timeout(MEMORY_TIMEOUT, claim.grow(capacity)).await;
                    grown.map_err(|_| PutFailure::not_stored(CallError::timed_out(MEMORY_TIMEOUT)))?;
                }
                buffer.reserve_exact(capacity - buffer.len());
            }
            buffer.extend_from_slice(&chunk[..take]);
            if take < chunk.len() {
                self.rest = Some(chunk.slice(take..));
            }
            if buffer.len() == most {
                return Ok(GatheredPart { bytes: buffer.into(), claim, is_last: false });
            }
        }
    }

    /// Returns the next chunk of the body; `None` at its end.
    async fn next(&mut self, sending: &mut Option<PartUpload>) -> Result<Option<Bytes>, PutFailure> {
        loop {
            let received = match sending {
                Some(part) if self.sent.is_none() => tokio::select! {
                    received = self.messages.recv() => received,
                    sent = part => {
                        *sending = None;
                        let sent = sent.unwrap_or_else(|error| Err(CallError::transient(error)));
                        self.sent = Some(sent.map_err(PutFailure::not_stored)?);
                        continue;
                    }
                },
                _ => self.messages.recv().await,
            };
            return match received {
                Some(PutMessage::Chunk(chunk)) => Ok(Some(chunk)),
                Some(PutMessage::End) => Ok(None),
                None => Err(PutFailure::aborted()),
            };
        }
    }

    async fn create(&self) -> Result<String, CallError> {
        let request = CreateMultipartUploadRequest {
            bucket: self.put.client.bucket.clone(),
            key: self.put.key.to_string(),
            content_type: Some(self.put.metadata.mimetype.clone()),
            metadata: Some(user_metadata(&self.put.metadata)),
            ..CreateMultipartUploadRequest::default()
        };
        let create = |client: rusoto_s3::S3Client| {
            let request = request.clone();
            async move { client.create_multipart_upload(request).await }
        };
        let created = self
            .put
            .client
            .repeat(&format!("CreateMultipartUpload {}", self.put.key), DEFAULT_TIMEOUTS, create)
            .await?;
        created
            .upload_id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| CallError::transient("the answer has no upload id"))
    }

    async fn send_parts(&mut self, upload: &str, first: GatheredPart) -> Result<(), PutFailure> {
        let mut parts = Vec::new();
        let mut size = 0;
        let mut sending = None;
        let mut part = first;
        let deadline = loop {
            let number = parts.len() + 1;
            if number > MAX_PARTS {
                return Err(PutFailure::not_stored(CallError::transient("the body has too many parts")));
            }
            let is_last = part.is_last;
            let deadline = Instant::now() + FINISH_TIMEOUTS.total;
            if !part.bytes.is_empty() {
                size += part.bytes.len() as u64;
                let timeouts = if is_last { FINISH_TIMEOUTS.until(deadline) } else { DEFAULT_TIMEOUTS };
                sending = Some(self.send_part(upload, number, part, timeouts));
            }
            if is_last {
                parts.extend(await_part(&mut sending).await?);
                break deadline;
            }
            part = self.gather(number + 1, &mut sending).await?;
            parts.extend(await_part(&mut sending).await?);
            parts.extend(self.sent.take());
        };
        fail_point!("s3.parts_sent");
        self.complete(upload, parts, size, deadline).await
    }

    fn send_part(
        &self,
        upload: &str,
        number: usize,
        part: GatheredPart,
        timeouts: CallTimeouts,
    ) -> PartUpload {
        let (client, key, upload) = (Arc::clone(&self.put.client), self.put.key.clone(), upload.to_owned());
        self.put.client.spawn(async move {
            let GatheredPart { bytes, claim, .. } = part;
            let request = || client.part_request(&key, &upload, number, bytes.clone());
            let e_tag = client.send(timeouts, request).await?;
            drop(claim);
            Ok(CompletedPart { e_tag: Some(e_tag), part_number: i64::try_from(number).ok() })
        })
    }

    /// Completes the upload. An engine may answer 200 and report an error in the body, so only the object itself counts.
    async fn complete(
        &self,
        upload: &str,
        parts: Vec<CompletedPart>,
        size: u64,
        deadline: Instant,
    ) -> Result<(), PutFailure> {
        let request = CompleteMultipartUploadRequest {
            bucket: self.put.client.bucket.clone(),
            key: self.put.key.to_string(),
            upload_id: upload.to_owned(),
            multipart_upload: Some(CompletedMultipartUpload { parts: Some(parts) }),
            ..CompleteMultipartUploadRequest::default()
        };
        let name = format!("CompleteMultipartUpload {}", self.put.key);
        let mut error = None;
        for _ in 0..2 {
            let (client, request) = (self.put.client.pooled.clone(), request.clone());
            let timeouts = FINISH_TIMEOUTS.until(deadline);
            let complete = async move { client.complete_multipart_upload(request).await };
            let answer = self.put.client.call(&name, timeouts.attempt, complete).await;
            fail_point!("s3.completed");
            if self.is_stored(size, deadline).await {
                return Ok(());
            }
            error = Some(match answer {
                Ok(_) => CallError::transient("completing the upload stored no object"),
                Err(error) => error,
            });
        }
        Err(PutFailure { error, maybe_stored: true })
    }

    async fn is_stored(&self, size: u64, deadline: Instant) -> bool {
        let head = self.put.client.head(FINISH_TIMEOUTS.until(deadline), self.put.key.as_str()).await;
        head.is_ok_and(|found| found == size)
    }
}
