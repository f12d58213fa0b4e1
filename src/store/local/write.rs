//! A put: writes the body to a temporary file, syncs it, and publishes it under its key (`publication.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::disk::Disk;
use super::extended_attributes::ExtendedAttributes;
use super::publication::PublicationGuard;
use super::temp_file::TempFile;
use crate::domain::object_key::ObjectKey;
use crate::store::{PutBody, PutError};

/// A step waits for this many bytes, unless the body is over.
const MIN_BATCH: u64 = 32 << 10;
/// The largest number of chunks in a step: each chunk keeps alive the buffer that it is a part of.
const MAX_CHUNKS: usize = 64;
/// How long a blocking thread waits for the next chunk of a fast body.
const NEXT_CHUNK_WAIT: Duration = Duration::from_millis(2);
/// The number of bytes after which a fast body releases its thread, so that other bodies can continue.
const MAX_STEP: u64 = 1 << 20;

pub(super) async fn put(
    disk: &Arc<Disk>,
    key: &ObjectKey,
    length: Option<u64>,
    attributes: ExtendedAttributes,
    body: PutBody,
) -> Result<u64, PutError> {
    let mut temp = None;
    let mut body = LengthCheckedBody { body, length, size: 0 };
    // The temporary file is moved into each step, and returned with its result. If this future is dropped, the step in
    // progress drops the file, which removes it.
    let batch = loop {
        let batch = gather(&mut body).await?;
        if batch.last {
            break batch;
        }
        let (own, timers) = (Arc::clone(disk), Handle::current());
        let step = move || {
            let mut temp = temp_file(temp, &own)?;
            let ended = write_while_fast(&timers, &mut temp, &mut body, batch)?;
            Ok((temp, body, ended))
        };
        let (written, rest, ended) = disk.run("write the object", step).await?;
        (temp, body) = (Some(written), rest);
        if ended? {
            break Batch::default();
        }
    };
    // The last bytes, the syncs and the rename are one step: for most objects, which are small, it is the only one.
    let publication = PublicationGuard::new(disk, key.as_str());
    let (own, publish) = (Arc::clone(disk), publication.publication());
    let step = move || {
        let mut temp = temp_file(temp, &own)?;
        temp.write_last(batch.chunks)?;
        attributes.write(temp.file());
        fail_point!("local.written");
        temp.sync()?;
        fail_point!("local.synced");
        publish.publish(&own, &temp)?;
        Ok(temp)
    };
    let written = disk.run("write the object", step).await?;
    fail_point!("local.published");
    publication.confirm();
    written.keep();
    Ok(body.size)
}

/// Returns the temporary file. It is created only when there is something to write. Blocks.
fn temp_file(temp: Option<TempFile>, disk: &Disk) -> io::Result<TempFile> {
    if let Some(temp) = temp {
        return Ok(temp);
    }
    let temp = TempFile::create(disk)?;
    fail_point!("local.created");
    Ok(temp)
}

/// A body that must have its declared length.
struct LengthCheckedBody {
    body: PutBody,
    length: Option<u64>,
    /// The number of bytes so far.
    size: u64,
}

impl LengthCheckedBody {
    /// Returns the next chunk; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, PutError> {
        let item = self.body.next().await;
        let chunk = item.transpose().map_err(|_| PutError::BodyInterrupted)?;
        self.size += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        match self.length {
            Some(declared) if self.size > declared || chunk.is_none() && self.size < declared => {
                Err(PutError::Length { declared, got: self.size })
            }
            _ => Ok(chunk),
        }
    }
}

/// The chunks of a body that one step writes.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    /// The body is over.
    last: bool,
}

/// Waits until [`MIN_BATCH`] bytes have arrived or the body is over, and returns all chunks that have arrived.
async fn gather(body: &mut LengthCheckedBody) -> Result<Batch, PutError> {
    let mut batch = Batch::default();
    let before = body.size;
    while batch.chunks.len() < MAX_CHUNKS {
        let enough = body.size - before >= MIN_BATCH;
        let item = if enough { body.next().now_or_never() } else { Some(body.next().await) };
        match item.transpose()? {
            None => break,
            Some(Some(chunk)) => batch.chunks.push(chunk),
            Some(None) => {
                batch.last = true;
                break;
            }
        }
    }
    Ok(batch)
}

/// Writes a batch, and further chunks while they come fast: so a fast body stays on its thread for a while, and a slow one
/// holds none. The outer error is the file's, the inner one the body's; `true`: the body is over. Blocks.
fn write_while_fast(
    timers: &Handle,
    temp: &mut TempFile,
    body: &mut LengthCheckedBody,
    batch: Batch,
) -> io::Result<Result<bool, PutError>> {
    temp.append(|appender| {
        batch.chunks.into_iter().try_for_each(|chunk| appender.push(chunk))?;
        let enough = body.size + MAX_STEP;
        timers.block_on(async {
            while body.size < enough {
                match timeout(NEXT_CHUNK_WAIT, body.next()).await {
                    Ok(Ok(Some(chunk))) => appender.push(chunk)?,
                    Ok(Ok(None)) => return Ok(Ok(true)),
                    Ok(Err(error)) => return Ok(Err(error)),
                    Err(_) => return appender.pause().map(|()| Ok(false)),
                }
            }
            Ok(Ok(false))
        })
    })
}
